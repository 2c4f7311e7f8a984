package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"sort"

	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/meta"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
)

// filler makes objects of a kind filled at random; nil for lists.
func filler() func(schema.GroupVersionKind) any_ {
	codecs := serializer.NewCodecFactory(scheme.Scheme)
	fill := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(7), codecs)
	return func(gvk schema.GroupVersionKind) any_ {
		o, err := scheme.Scheme.New(gvk)
		must(err)
		if _, err := meta.Accessor(o); err != nil {
			return nil
		}
		fill.NumElements(1, 3).NilChance(0.6).Fill(o)
		o.GetObjectKind().SetGroupVersionKind(gvk)
		var out any_
		must(json.Unmarshal([]byte(encode(o)), &out))
		metadata, _ := out["metadata"].(any_)
		if metadata == nil {
			return nil
		}
		for _, name := range []string{"managedFields", "uid"} {
			delete(metadata, name)
		}
		return out
	}
}

// fuzzedStrategic makes n patches for every kind: the difference of two objects, given to the first or to a third.
func fuzzedStrategic(n int) []patchCase {
	object := filler()
	var cases []patchCase
	for gvk := range scheme.Scheme.AllKnownTypes() {
		for i := 0; i < n; i++ {
			from, to, other := object(gvk), object(gvk), object(gvk)
			if from == nil {
				break
			}
			o, err := scheme.Scheme.New(gvk)
			must(err)
			kind := gvk.GroupVersion().String() + "/" + gvk.Kind
			strategicKinds[kind] = o
			patch, err := strategicpatch.CreateTwoWayMergePatch([]byte(encode(from)), []byte(encode(to)), o)
			if err != nil {
				continue
			}
			var p any_
			must(json.Unmarshal(patch, &p))
			doc := from
			if i%2 == 1 {
				doc = other
			}
			cases = append(cases, patchCase{Name: fmt.Sprint("filled ", i), Kind: kind, Doc: doc, Patch: p})
		}
	}
	return cases
}

// fuzzedApplies makes n sequences for every kind of the served types, of objects filled at random.
func fuzzedApplies(kinds []schema.GroupVersionKind, n int) []applyCase {
	object := filler()
	var cases []applyCase
	for _, gvk := range kinds {
		for i := 0; i < n; i++ {
			first := object(gvk)
			if first == nil {
				break
			}
			c := applyCase{Name: fmt.Sprintf("filled %d", i), Kind: gvk.GroupVersion().String() + "/" + gvk.Kind}
			if i%2 == 1 {
				c.Reset = map[string][]string{"": {"status"}, "status": {"spec", "metadata.labels"}}
			}
			c.Steps = []step{
				{Op: "create", Manager: "a", Object: first},
				{Op: "update", Manager: "b", Object: object(gvk)},
				{Op: "update", Manager: "s", Subresource: "status", Object: object(gvk)},
				{Op: "apply", Manager: "c", Force: true, Object: object(gvk)},
				{Op: "apply", Manager: "c", Force: true, Object: object(gvk)},
				{Op: "apply", Manager: "d", Object: object(gvk)},
				{Op: "patch", Manager: "b", Object: object(gvk)},
				{Op: "apply", Manager: "kubectl", Subresource: "status", Force: true, Object: object(gvk)},
				{Op: "apply", Manager: "c", Force: true, Object: first},
			}
			cases = append(cases, c)
		}
	}
	return cases
}

// servedKinds are the kinds of the type converter's definitions that the scheme knows, by name.
func servedKinds(names map[schema.GroupVersionKind]bool) []schema.GroupVersionKind {
	var out []schema.GroupVersionKind
	for gvk := range names {
		if scheme.Scheme.Recognizes(gvk) && gvk.Kind != "WatchEvent" {
			out = append(out, gvk)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].String() < out[j].String() })
	return out
}
