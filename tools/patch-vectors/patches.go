package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

type patchCase struct {
	Name  string `json:"name"`
	Kind  string `json:"kind,omitempty"`
	Doc   any    `json:"doc"`
	Patch any    `json:"patch"`
	Out   any    `json:"out,omitempty"`
	Error string `json:"error,omitempty"`
}

func jsonPatchVectors() []any {
	var cases []patchCase
	readCases("json-patch.yaml", &cases)
	if *fuzzed > 0 {
		cases = fuzzedPatches(1000**fuzzed, false)
	}
	var out []any
	for _, c := range cases {
		out = append(out, runJSONPatch(c))
	}
	return out
}

func runJSONPatch(c patchCase) (done patchCase) {
	done = c
	defer func() {
		if r := recover(); r != nil {
			done.Error = fmt.Sprint("panic: ", r)
		}
	}()
	patch, err := jsonpatch.DecodePatch([]byte(encode(c.Patch)))
	if err == nil {
		var result []byte
		if result, err = patch.Apply([]byte(encode(c.Doc))); err == nil {
			done.Out = json.RawMessage(result)
		}
	}
	if err != nil {
		done.Error = err.Error()
	}
	return done
}

func mergePatchVectors() []any {
	var cases []patchCase
	readCases("merge-patch.yaml", &cases)
	if *fuzzed > 0 {
		cases = fuzzedPatches(1000**fuzzed, true)
	}
	var out []any
	for _, c := range cases {
		result, err := jsonpatch.MergePatch([]byte(encode(c.Doc)), []byte(encode(c.Patch)))
		if err == nil {
			c.Out = json.RawMessage(result)
		} else {
			c.Error = err.Error()
		}
		out = append(out, c)
	}
	return out
}

var strategicKinds = map[string]any{
	"v1/Pod":             corev1.Pod{},
	"v1/Service":         corev1.Service{},
	"v1/ConfigMap":       corev1.ConfigMap{},
	"v1/ServiceAccount":  corev1.ServiceAccount{},
	"v1/Node":            corev1.Node{},
	"apps/v1/Deployment": appsv1.Deployment{},
}

func strategicVectors() []any {
	var cases []patchCase
	readCases("strategic.yaml", &cases)
	cases = append(cases, randomStrategic(10**times)...)
	if *fuzzed > 0 {
		cases = fuzzedStrategic(*fuzzed)
	}
	var out []any
	for _, c := range cases {
		out = append(out, runStrategic(c))
	}
	return out
}

// ints makes whole numbers int64, as the apiserver's decoder does.
func ints(v any) any {
	switch t := v.(type) {
	case int:
		return int64(t)
	case float64:
		if t == float64(int64(t)) {
			return int64(t)
		}
	case map[string]any:
		for k := range t {
			t[k] = ints(t[k])
		}
	case []any:
		for i := range t {
			t[i] = ints(t[i])
		}
	}
	return v
}

func runStrategic(c patchCase) (done patchCase) {
	done = c
	defer func() {
		if r := recover(); r != nil {
			done.Error = fmt.Sprint(r)
		}
	}()
	doc := ints(runtime.DeepCopyJSON(ints(c.Doc).(any_))).(any_)
	patch := runtime.DeepCopyJSON(ints(c.Patch).(any_))
	result, err := strategicpatch.StrategicMergeMapPatch(doc, patch, strategicKinds[c.Kind])
	if err != nil {
		done.Error = err.Error()
	} else {
		done.Out = result
	}
	return done
}

// randomStrategic patches pods at random: lists with merge keys, sets, retained keys and orders mixed.
func randomStrategic(n int) []patchCase {
	r := rand.New(rand.NewSource(37))
	names := []string{"a", "b", "c", "d", "e"}
	pick := func() []string {
		var out []string
		for _, i := range r.Perm(len(names)) {
			if r.Intn(2) == 0 {
				out = append(out, names[i])
			}
		}
		return out
	}
	var cases []patchCase
	for i := 0; i < n; i++ {
		containers := func(patch bool) ([]any, []any) {
			list, order := []any{}, []any{}
			for _, name := range pick() {
				c := any_{"name": name}
				if patch && r.Intn(5) == 0 {
					c["$patch"] = "delete"
					list = append(list, c)
					continue
				}
				if r.Intn(2) == 0 {
					c["image"] = fmt.Sprint("i", r.Intn(3))
				}
				if r.Intn(3) == 0 {
					c["env"] = []any{any_{"name": names[r.Intn(5)], "value": fmt.Sprint(r.Intn(3))}}
				}
				if r.Intn(4) == 0 {
					c["args"] = []any{fmt.Sprint(r.Intn(3))}
				}
				list = append(list, c)
				order = append(order, any_{"name": name})
			}
			if patch && r.Intn(12) == 0 {
				list = append(list, any_{"$patch": "replace"})
			}
			return list, order
		}
		strings := func() []any {
			out := []any{}
			for _, s := range pick() {
				out = append(out, s)
			}
			return out
		}
		live, _ := containers(false)
		given, order := containers(true)
		spec := any_{"containers": given}
		if r.Intn(2) == 0 {
			for _, name := range pick() {
				if r.Intn(2) == 0 {
					order = append(order, any_{"name": name})
				}
			}
			spec["$setElementOrder/containers"] = order
		}
		metadata := any_{}
		if r.Intn(2) == 0 {
			metadata["finalizers"] = strings()
		}
		if r.Intn(3) == 0 {
			// Upstream's result is random where the same item is both added and deleted.
			deleted := []any{}
			for _, s := range strings() {
				if given, _ := metadata["finalizers"].([]any); !slices.Contains(given, s) {
					deleted = append(deleted, s)
				}
			}
			metadata["$deleteFromPrimitiveList/finalizers"] = deleted
		}
		if r.Intn(3) == 0 {
			metadata["$setElementOrder/finalizers"] = strings()
		}
		cases = append(cases, patchCase{
			Name:  fmt.Sprintf("random %d", i),
			Kind:  "v1/Pod",
			Doc:   any_{"metadata": any_{"finalizers": strings()}, "spec": any_{"containers": live}},
			Patch: any_{"metadata": metadata, "spec": spec},
		})
	}
	return cases
}
