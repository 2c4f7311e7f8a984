// Writes OpenAPI v2 documents as kube-apiserver does, with gnostic: bytes to compare ours with.
//
//	go run . vectors > ../../kube/codec/generated/openapi-vectors.ts
//	go run . encode < document.json > document.pb
//	go run . decode < document.pb > document.yaml
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"

	openapi "github.com/google/gnostic-models/openapiv2"
	"google.golang.org/protobuf/proto"
)

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return v
}

func encode(text []byte) []byte {
	return must(proto.Marshal(must(openapi.ParseDocument(text))))
}

func main() {
	switch os.Args[1] {
	case "encode":
		os.Stdout.Write(encode(must(io.ReadAll(os.Stdin))))
	case "decode":
		d := &openapi.Document{}
		if err := proto.Unmarshal(must(io.ReadAll(os.Stdin)), d); err != nil {
			must(0, err)
		}
		os.Stdout.Write(must(d.YAMLValue("")))
	case "vectors":
		fmt.Println("// Made by tools/openapi-vectors. Do not edit.")
		fmt.Println("/** OpenAPI v2 documents, and base64 of what kube-apiserver's gnostic makes of them. */")
		fmt.Println("export const openApiVectors: readonly { name: string; document: string; bytes: string }[] = [")
		for _, v := range vectors {
			name, document, bytes := must(json.Marshal(v.name)), must(json.Marshal(v.document)), base64.StdEncoding.EncodeToString(encode([]byte(v.document)))
			fmt.Printf("  { name: %s, document: %s, bytes: '%s' },\n", name, document, bytes)
		}
		fmt.Println("];")
	}
}
