// Command patch-vectors runs upstream's patch code over the cases in cases/ and over seeded random ones, and writes inputs with upstream's
// outputs to kube/patch/generated/vectors.ts, which our tests compare with our own code.
//
//	go run . -openapi DIR -out ../../kube/patch/generated/vectors.ts
//
// DIR is api/openapi-spec/v3 of the k8s.io/kubernetes module.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

type any_ = map[string]any

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func readCases(file string, into any) {
	data, err := os.ReadFile(filepath.Join("cases", file))
	must(err)
	must(yaml.UnmarshalStrict(data, into))
}

func encode(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	must(e.Encode(v))
	return string(bytes.TrimSpace(b.Bytes()))
}

var times = flag.Int("times", 1, "how many times as many random cases")
var fuzzed = flag.Int("fuzz", 0, "so many sequences of randomly filled objects for every kind, in place of the others")

func main() {
	openapi := flag.String("openapi", "", "directory of OpenAPI v3 files")
	out := flag.String("out", "", "the file to write")
	flag.Parse()
	var b bytes.Buffer
	fmt.Fprintln(&b, "// Made by tools/patch-vectors from Kubernetes 1.37.1. Do not edit.")
	for _, part := range []struct {
		name string
		list []any
	}{
		{"jsonPatchVectors", jsonPatchVectors()},
		{"mergePatchVectors", mergePatchVectors()},
		{"strategicVectors", strategicVectors()},
		{"applyVectors", applyVectors(*openapi)},
	} {
		fmt.Fprintf(&b, "/** %d cases. */\nexport const %s: string[] = [\n", len(part.list), part.name)
		for _, v := range part.list {
			fmt.Fprintf(&b, "  %s,\n", encode(encode(v)))
		}
		fmt.Fprintln(&b, "];")
	}
	must(os.WriteFile(*out, b.Bytes(), 0o644))
	fmt.Printf("%d bytes\n", b.Len())
}
