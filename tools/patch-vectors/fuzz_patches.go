package main

import (
	"fmt"
	"math/rand"
	"strings"
)

func jsonpatchKey(k string) string {
	return strings.ReplaceAll(strings.ReplaceAll(k, "~", "~0"), "/", "~1")
}

// fuzzedPatches makes n JSON patches (or merge patches) of small random documents.
func fuzzedPatches(n int, merge bool) []patchCase {
	r := rand.New(rand.NewSource(11))
	keys := []string{"a", "b", "c", "0", "1", "-", "-1", "x/y", "m~n"}
	escaped := []string{"a", "b", "c", "0", "1", "-", "-1", "x~1y", "m~0n", "2", "-3", "z"}
	var value func(depth int) any
	value = func(depth int) any {
		switch k := r.Intn(8); {
		case k < 2 && depth > 0:
			m := any_{}
			for i := r.Intn(4); i > 0; i-- {
				m[keys[r.Intn(len(keys))]] = value(depth - 1)
			}
			return m
		case k < 4 && depth > 0:
			list := []any{}
			for i := r.Intn(4); i > 0; i-- {
				list = append(list, value(depth-1))
			}
			return list
		case k == 4:
			return nil
		case k == 5:
			return r.Intn(2) == 0
		default:
			return []any{1, 2, "s", "t"}[r.Intn(4)]
		}
	}
	object := func() any_ {
		m := any_{}
		for i := 1 + r.Intn(4); i > 0; i-- {
			m[keys[r.Intn(len(keys))]] = value(3)
		}
		return m
	}
	var doc any
	// Mostly a path that exists, with one step more at times.
	path := func() string {
		out := ""
		if r.Intn(5) > 0 {
			for at := doc; ; {
				var steps []string
				var next []any
				switch t := at.(type) {
				case any_:
					for _, k := range keys {
						if v, ok := t[k]; ok {
							steps, next = append(steps, jsonpatchKey(k)), append(next, v)
						}
					}
				case []any:
					for i, v := range t {
						steps, next = append(steps, fmt.Sprint(i)), append(next, v)
					}
				}
				if len(steps) == 0 || (out != "" && r.Intn(3) == 0) {
					break
				}
				i := r.Intn(len(steps))
				out, at = out+"/"+steps[i], next[i]
			}
			if r.Intn(3) == 0 {
				out += "/" + escaped[r.Intn(len(escaped))]
			}
			return out
		}
		for i := r.Intn(4); i >= 0; i-- {
			out += "/" + escaped[r.Intn(len(escaped))]
		}
		if r.Intn(40) == 0 {
			return ""
		}
		return out
	}
	var cases []patchCase
	for i := 0; i < n; i++ {
		c := patchCase{Name: fmt.Sprint("filled ", i), Doc: object()}
		doc = c.Doc
		if merge {
			c.Patch = object()
			cases = append(cases, c)
			continue
		}
		var ops []any
		for k := 1 + r.Intn(3); k > 0; k-- {
			op := any_{"op": []string{"add", "add", "remove", "replace", "move", "copy", "test"}[r.Intn(7)], "path": path()}
			if r.Intn(12) > 0 {
				op["from"] = path()
			}
			if r.Intn(12) > 0 {
				op["value"] = value(2)
			}
			ops = append(ops, op)
		}
		c.Patch = ops
		cases = append(cases, c)
	}
	return cases
}
