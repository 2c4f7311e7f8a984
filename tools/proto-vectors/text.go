package main

import (
	"bytes"
	"encoding/json"
	"sort"
)

func sortStrings(s []string) { sort.Strings(s) }

// marshal is json.Marshal without HTML escapes, on one line.
func marshal(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return string(bytes.TrimRight(b.Bytes(), "\n")), err
}
