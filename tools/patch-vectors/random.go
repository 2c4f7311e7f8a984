package main

import (
	"fmt"
	"math/rand"
)

// randomApplies makes sequences of writes by several managers on deployments, services and widgets.
func randomApplies(n int) []applyCase {
	r := rand.New(rand.NewSource(1))
	var cases []applyCase
	for i := 0; i < n; i++ {
		kind := []string{"apps/v1/Deployment", "v1/Service", "example.dev/v1/Widget"}[i%3]
		c := applyCase{Name: fmt.Sprintf("random %d", i), Kind: kind}
		steps := 3 + r.Intn(3)
		for s := 0; s < steps; s++ {
			st := step{Op: "apply", Manager: []string{"alice", "bob", "kubectl"}[r.Intn(3)], Force: r.Intn(3) == 0}
			if r.Intn(3) == 0 {
				st.Op = "patch"
				if s == 0 {
					st.Op = "create"
				}
			}
			st.Object = randomObject(r, kind)
			c.Steps = append(c.Steps, st)
		}
		cases = append(cases, c)
	}
	return cases
}

func maybe(r *rand.Rand, o any_, key string, v func() any) {
	if r.Intn(2) == 0 {
		o[key] = v()
	}
}

func some(r *rand.Rand, from ...string) []string {
	var out []string
	for _, i := range r.Perm(len(from)) {
		if r.Intn(2) == 0 {
			out = append(out, from[i])
		}
	}
	return out
}

func anys(from []string) []any {
	list := []any{}
	for _, s := range from {
		list = append(list, s)
	}
	return list
}

func stringMap(r *rand.Rand) any_ {
	m := any_{}
	for _, k := range some(r, "app", "tier", "x") {
		m[k] = fmt.Sprint("v", r.Intn(2))
	}
	return m
}

func randomObject(r *rand.Rand, kind string) any_ {
	metadata := any_{"name": "n"}
	// Empty metadata would differ between custom and typed objects only by what decodes them.
	if labels := stringMap(r); len(labels) > 0 {
		metadata["labels"] = labels
	}
	if list := anys(some(r, "a/a", "b/b", "c/c")); len(list) > 0 {
		metadata["finalizers"] = list
	}
	spec := any_{}
	switch kind {
	case "apps/v1/Deployment":
		maybe(r, spec, "replicas", func() any { return r.Intn(3) })
		maybe(r, spec, "selector", func() any { return any_{"matchLabels": stringMap(r)} })
		pod := any_{}
		maybe(r, pod, "containers", func() any { return containers(r) })
		maybe(r, pod, "volumes", func() any { return []any{any_{"name": "v", "emptyDir": any_{}}} })
		maybe(r, pod, "securityContext", func() any { return any_{} })
		spec["template"] = any_{"spec": pod}
	case "v1/Service":
		maybe(r, spec, "selector", func() any { return stringMap(r) })
		maybe(r, spec, "ports", func() any {
			list := []any{}
			for _, name := range some(r, "a", "b") {
				p := any_{"name": name, "port": map[string]int{"a": 80, "b": 443}[name], "targetPort": 8000 + r.Intn(2)}
				maybe(r, p, "protocol", func() any { return []string{"TCP", "UDP"}[r.Intn(2)] })
				list = append(list, p)
			}
			return list
		})
	default:
		maybe(r, spec, "size", func() any { return r.Intn(3) })
		maybe(r, spec, "labels", func() any { return stringMap(r) })
		maybe(r, spec, "tags", func() any {
			list := []any{}
			for _, t := range some(r, "x", "y", "z", "w") {
				list = append(list, t)
			}
			return list
		})
		maybe(r, spec, "any", func() any { return any_{"deep": any_{"k": r.Intn(3), "l": []any{r.Intn(2)}}} })
		maybe(r, spec, "whole", func() any { return any_{"a": fmt.Sprint(r.Intn(2))} })
		maybe(r, spec, "parts", func() any {
			list := []any{}
			for _, name := range some(r, "a", "b", "c") {
				p := any_{"name": name}
				maybe(r, p, "value", func() any { return fmt.Sprint(r.Intn(3)) })
				maybe(r, p, "inner", func() any { return any_{"x": r.Intn(2)} })
				list = append(list, p)
			}
			return list
		})
	}
	return any_{"metadata": metadata, "spec": spec}
}

func containers(r *rand.Rand) any {
	list := []any{}
	for _, name := range some(r, "a", "b", "c") {
		c := any_{"name": name}
		maybe(r, c, "image", func() any { return fmt.Sprint("i", r.Intn(2)) })
		maybe(r, c, "env", func() any { return []any{any_{"name": "E", "value": fmt.Sprint(r.Intn(2))}} })
		maybe(r, c, "args", func() any { return []any{fmt.Sprint(r.Intn(2))} })
		maybe(r, c, "ports", func() any { return []any{any_{"containerPort": 80 + r.Intn(2)}} })
		list = append(list, c)
	}
	return list
}
