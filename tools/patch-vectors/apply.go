package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

type step struct {
	Op          string               `json:"op"` // create, update, patch (a merge patch of the live object) or apply
	Manager     string               `json:"manager"`
	Subresource string               `json:"subresource,omitempty"`
	Force       bool                 `json:"force,omitempty"`
	Object      any_                 `json:"object"`
	Out         any                  `json:"out,omitempty"`
	Managed     any                  `json:"managed,omitempty"`
	Error       string               `json:"error,omitempty"`
	Causes      []metav1.StatusCause `json:"causes,omitempty"`
}

type applyCase struct {
	Name  string              `json:"name"`
	Kind  string              `json:"kind"`
	Reset map[string][]string `json:"reset,omitempty"` // by subresource: dotted paths
	Steps []step              `json:"steps"`
}

// objects converts between what is sent and typed objects, as the apiserver's scheme does within one version.
type objects struct{}

func (objects) Convert(in, out, context any) error { return errors.New("not implemented") }
func (objects) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	u, ok := in.(*unstructured.Unstructured)
	if !ok || !scheme.Scheme.Recognizes(u.GroupVersionKind()) {
		return in, nil
	}
	return typed(u.Object), nil
}
func (objects) ConvertFieldLabel(schema.GroupVersionKind, string, string) (string, string, error) {
	return "", "", errors.New("not implemented")
}
func (objects) Default(runtime.Object) {}
func (objects) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	return empty(gvk), nil
}

func empty(gvk schema.GroupVersionKind) runtime.Object {
	if !scheme.Scheme.Recognizes(gvk) {
		u := &unstructured.Unstructured{Object: any_{}}
		u.SetGroupVersionKind(gvk)
		return u
	}
	o, err := scheme.Scheme.New(gvk)
	must(err)
	o.GetObjectKind().SetGroupVersionKind(gvk)
	return o
}

// typed decodes an object into its Go struct (or leaves it unstructured when there is none).
func typed(object any_) runtime.Object {
	u := &unstructured.Unstructured{Object: ints(runtime.DeepCopyJSON(ints(object).(any_))).(any_)}
	if !scheme.Scheme.Recognizes(u.GroupVersionKind()) {
		return u
	}
	o := empty(u.GroupVersionKind())
	must(json.Unmarshal([]byte(encode(object)), o))
	return o
}

func untyped(o runtime.Object) any_ {
	if u, ok := o.(*unstructured.Unstructured); ok {
		return runtime.DeepCopyJSON(u.Object)
	}
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	must(err)
	return u
}

func loadTypes(dir string) (managedfields.TypeConverter, map[schema.GroupVersionKind]bool) {
	definitions := map[string]*spec.Schema{}
	read := func(data []byte) {
		var doc struct {
			Components struct {
				Schemas map[string]*spec.Schema `json:"schemas"`
			} `json:"components"`
		}
		must(json.Unmarshal(data, &doc))
		for name, s := range doc.Components.Schemas {
			definitions[name] = s
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*__v*_openapi.json"))
	must(err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(err)
		read(data)
	}
	data, err := os.ReadFile(filepath.Join("cases", "widget.json"))
	must(err)
	read(data)
	converter, err := managedfields.NewTypeConverter(definitions, false)
	must(err)
	return converter, kindsOf(definitions)
}

func kindsOf(definitions map[string]*spec.Schema) map[schema.GroupVersionKind]bool {
	out := map[schema.GroupVersionKind]bool{}
	for _, s := range definitions {
		list, _ := s.Extensions["x-kubernetes-group-version-kind"].([]any)
		if len(list) != 1 {
			continue
		}
		gvk := list[0].(any_)
		out[schema.GroupVersionKind{Group: gvk["group"].(string), Version: gvk["version"].(string), Kind: gvk["kind"].(string)}] = true
	}
	return out
}

func applyVectors(dir string) []any {
	types, kinds := loadTypes(dir)
	var cases []applyCase
	readCases("apply.yaml", &cases)
	cases = append(cases, randomApplies(33**times)...)
	if *fuzzed > 0 {
		cases = fuzzedApplies(servedKinds(kinds), *fuzzed)
	}
	var out []any
	for _, c := range cases {
		out = append(out, runApply(types, c))
	}
	return out
}

func managerFor(types managedfields.TypeConverter, c applyCase, gvk schema.GroupVersionKind, subresource string) *managedfields.FieldManager {
	var reset map[fieldpath.APIVersion]fieldpath.Filter
	if paths := c.Reset[subresource]; len(paths) > 0 {
		set := fieldpath.NewSet()
		for _, path := range paths {
			var parts []any
			for _, p := range strings.Split(path, ".") {
				parts = append(parts, p)
			}
			set.Insert(fieldpath.MakePathOrDie(parts...))
		}
		reset = fieldpath.NewExcludeFilterSetMap(map[fieldpath.APIVersion]*fieldpath.Set{
			fieldpath.APIVersion(gvk.GroupVersion().String()): set,
		})
	}
	make := managedfields.NewDefaultFieldManager
	if !scheme.Scheme.Recognizes(gvk) {
		make = managedfields.NewDefaultCRDFieldManager
	}
	if gvk.Kind == "Shapeless" {
		types = managedfields.NewDeducedTypeConverter()
	}
	f, err := make(types, objects{}, objects{}, objects{}, gvk, gvk.GroupVersion(), subresource, reset)
	must(err)
	return f
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func runApply(types managedfields.TypeConverter, c applyCase) applyCase {
	i := strings.LastIndex(c.Kind, "/")
	gv, err := schema.ParseGroupVersion(c.Kind[:i])
	must(err)
	gvk := gv.WithKind(c.Kind[i+1:])
	live := empty(gvk)
	for n := range c.Steps {
		s := &c.Steps[n]
		if _, named := s.Object["kind"]; !named {
			s.Object["apiVersion"], s.Object["kind"] = gv.String(), gvk.Kind
		}
		next, err := runStep(managerFor(types, c, gvk, s.Subresource), live, s)
		if err != nil {
			s.Error = err.Error()
			var status interface{ Status() metav1.Status }
			if errors.As(err, &status) && status.Status().Details != nil {
				s.Causes = status.Status().Details.Causes
				sort.SliceStable(s.Causes, func(i, j int) bool { return s.Causes[i].Message < s.Causes[j].Message })
			}
			continue
		}
		live = settled(live, next, n)
		result := untyped(live)
		metadata := result["metadata"].(any_)
		if entries := managedOf(live); len(entries) > 0 {
			s.Managed = json.RawMessage(encode(entries)) // as it is sent: a map would lose the order of fields
		}
		delete(metadata, "managedFields")
		// Our test makes the object of the other steps itself.
		if s.Op == "apply" {
			s.Out = result
		}
	}
	return c
}

func runStep(f *managedfields.FieldManager, live runtime.Object, s *step) (runtime.Object, error) {
	if s.Op == "apply" {
		applied := runtime.DeepCopyJSON(ints(s.Object).(any_))
		return f.Apply(live, &unstructured.Unstructured{Object: applied}, s.Manager, s.Force)
	}
	object := s.Object
	if s.Op == "patch" {
		object = untyped(live)
		mergeJSON(object, runtime.DeepCopyJSON(ints(s.Object).(any_)))
	}
	next := typed(object)
	was, err := meta.Accessor(live)
	must(err)
	is, err := meta.Accessor(next)
	must(err)
	is.SetUID(was.GetUID())
	if _, given := object["metadata"].(any_)["managedFields"]; !given || s.Op == "patch" {
		is.SetManagedFields(was.GetManagedFields())
	}
	return f.Update(live, next, s.Manager)
}

func managedOf(o runtime.Object) []metav1.ManagedFieldsEntry {
	accessor, err := meta.Accessor(o)
	must(err)
	return accessor.GetManagedFields()
}

func mergeJSON(into, patch any_) {
	for k, v := range patch {
		if v == nil {
			delete(into, k)
		} else if m, ok := v.(any_); ok {
			if _, ok := into[k].(any_); !ok {
				into[k] = any_{}
			}
			mergeJSON(into[k].(any_), m)
		} else {
			into[k] = v
		}
	}
}

// settled gives the object a UID and the times of changed entries a minute of the step's own.
func settled(before, after runtime.Object, n int) runtime.Object {
	was, err := meta.Accessor(before)
	must(err)
	is, err := meta.Accessor(after)
	must(err)
	is.SetUID("u")
	known := map[string]bool{}
	for _, e := range was.GetManagedFields() {
		if e.Time != nil {
			known[e.Time.Time.UTC().Format(time.RFC3339Nano)] = true
		}
	}
	entries := is.GetManagedFields()
	for i := range entries {
		if t := entries[i].Time; t != nil && !known[t.Time.UTC().Format(time.RFC3339Nano)] && t.Time.After(epoch.AddDate(0, 6, 0)) {
			entries[i].Time = &metav1.Time{Time: epoch.Add(time.Duration(n+1) * time.Minute)}
		}
	}
	is.SetManagedFields(resort(entries))
	return after
}

// resort puts entries in upstream's order again, as their times were changed.
func resort(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	key := func(e metav1.ManagedFieldsEntry) string {
		seconds := int64(0)
		if e.Time != nil {
			seconds = e.Time.Unix()
		}
		return fmt.Sprintf("%s\x00%015d\x00%s\x00%s\x00%s", e.Operation, seconds, e.Manager, e.APIVersion, e.Subresource)
	}
	sort.SliceStable(entries, func(i, j int) bool { return key(entries[i]) < key(entries[j]) })
	return entries
}
