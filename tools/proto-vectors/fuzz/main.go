// Prints random objects of every kind, one JSON line each, for test/codec/fuzz.ts: what Kubernetes writes in protobuf, and what it
// reads back from that as JSON. `go run ./fuzz -seed 7 -each 4`.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/resource"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/randfill"
)

// Types whose fields constrain one another: random values of their Go fields would not be values.
func constrained(serializer.CodecFactory) []interface{} {
	return []interface{}{
		func(j *apiextensionsv1.JSON, c randfill.Continue) { j.Raw = []byte(`{"a":[1,"x"]}`) },
		func(j *apiextensionsv1.JSONSchemaProps, c randfill.Continue) {
			if c.Rand.Intn(3) != 0 {
				j.Type = "string"
				return
			}
			c.FillNoCustom(j)
			j.Default, j.Enum, j.Example = nil, nil, nil
		},
		func(j *apiextensionsv1.JSONSchemaPropsOrBool, c randfill.Continue) {
			j.Allows = c.Bool()
			if j.Allows && c.Bool() {
				j.Schema = &apiextensionsv1.JSONSchemaProps{Type: "x"}
			}
		},
		func(j *apiextensionsv1.JSONSchemaPropsOrArray, c randfill.Continue) {
			if c.Bool() {
				j.Schema = &apiextensionsv1.JSONSchemaProps{}
			} else {
				j.JSONSchemas = []apiextensionsv1.JSONSchemaProps{{Type: "z"}}
			}
		},
		func(j *apiextensionsv1.JSONSchemaPropsOrStringArray, c randfill.Continue) {
			if c.Bool() {
				j.Schema = &apiextensionsv1.JSONSchemaProps{}
			} else {
				j.Property = []string{"z"}
			}
		},
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewQuantity(c.Rand.Int63n(1000), resource.DecimalSI)
		},
		func(r *runtime.RawExtension, c randfill.Continue) { r.Raw = []byte(`{"apiVersion":"v1","kind":"X"}`) },
		func(f *metav1.FieldsV1, c randfill.Continue) { f.Raw = []byte(`{"f:a":{}}`) },
	}
}

func main() {
	seed := flag.Int64("seed", 7, "seed")
	each := flag.Int("each", 4, "objects of each kind")
	flag.Parse()
	s := scheme.Scheme
	if err := apiextensionsv1.AddToScheme(s); err != nil {
		panic(err)
	}
	filler := fuzzer.FuzzerFor(fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs, constrained), rand.NewSource(*seed), serializer.NewCodecFactory(s)).
		NilChance(0.4).NumElements(0, 3).MaxDepth(14)
	types := s.AllKnownTypes()
	names := make([]string, 0, len(types))
	byName := map[string]runtime.Object{}
	for gvk := range types {
		if gvk.Version == "__internal" || strings.HasSuffix(gvk.Kind, "Options") || gvk.Kind == "WatchEvent" || gvk.Kind == "List" {
			continue
		}
		o, err := s.New(gvk)
		if err != nil {
			panic(err)
		}
		o.GetObjectKind().SetGroupVersionKind(gvk)
		names = append(names, gvk.String())
		byName[gvk.String()] = o
	}
	sort.Strings(names)
	enc := protobuf.NewSerializer(s, s)
	out := json.NewEncoder(os.Stdout)
	for _, name := range names {
		gvk := byName[name].GetObjectKind().GroupVersionKind()
		for i := 0; i < *each; i++ {
			o, _ := s.New(gvk)
			filler.Fill(o)
			o.GetObjectKind().SetGroupVersionKind(gvk)
			var pb bytes.Buffer
			if err := enc.Encode(o, &pb); err != nil {
				continue // kinds without protobuf
			}
			back, _, err := enc.Decode(pb.Bytes(), nil, nil)
			if err != nil {
				panic(err)
			}
			// Once more: a nil []byte in a map comes back empty.
			pb.Reset()
			if err := enc.Encode(back, &pb); err != nil {
				panic(err)
			}
			text, err := json.Marshal(back)
			if err != nil {
				fmt.Fprintln(os.Stderr, name, err)
				continue
			}
			if err := out.Encode(map[string]string{"name": fmt.Sprintf("%s #%d", name, i), "json": string(text), "proto": base64.StdEncoding.EncodeToString(pb.Bytes())}); err != nil {
				panic(err)
			}
		}
	}
}
