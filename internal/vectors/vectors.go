// Package vectors reads and writes conformance/vectors.json: the test vectors of PROTOCOL.md section
// 15 and of docs/fleet.md, in groups, for the tests of this repository and for other implementations.
// Only tests use it.
//
//	tests of a package ── Hold ──▶ conformance/vectors.json ◀── Read ── tests of a package
//	                                  │           │
//	        the root's tests, Of ─────┘           └───── conformance/check.py, from PROTOCOL.md alone
//	                │
//	                ▼
//	         PROTOCOL.md 15
package vectors

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// File is the path of the vectors, relative to the root of the repository.
const File = "conformance/vectors.json"

var update = flag.Bool("update", false, "write what is generated anew: "+File+", and the vectors in PROTOCOL.md and docs/fleet.md")

// Update reports whether the test was told to write what is generated anew, with -update.
func Update() bool { return *update }

// All is the whole file.
type All struct {
	About  []string `json:"about"`
	Groups []Group  `json:"groups"`
}

// A Group has vectors that are checked in the same way. conformance/README.md has the kinds.
type Group struct {
	Name     string            `json:"name"`
	Document string            `json:"document"`
	Section  string            `json:"section"`
	Kind     string            `json:"kind"`
	What     string            `json:"what"`
	Vectors  []json.RawMessage `json:"vectors"`
}

// Bytes returns the file as it is. Tests of the root and of packages up to three folders below it may
// call it.
func Bytes(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(path(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func path(t testing.TB) string {
	t.Helper()
	for _, root := range []string{"", "..", "../..", "../../.."} {
		name := filepath.Join(root, filepath.FromSlash(File))
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
	t.Fatalf("there is no %s here or above", File)
	return ""
}

// Of returns the whole file.
func Of(t testing.TB) (all All) {
	t.Helper()
	if err := json.Unmarshal(Bytes(t), &all); err != nil {
		t.Fatalf("%s: %v", File, err)
	}
	return all
}

func (all *All) group(t testing.TB, name string) *Group {
	t.Helper()
	for i := range all.Groups {
		if all.Groups[i].Name == name {
			return &all.Groups[i]
		}
	}
	t.Fatalf("%s has no group %q", File, name)
	return nil
}

// Read returns the vectors of a group, of which there is at least one. A field of the file that T
// does not have is an error of the test.
func Read[T any](t testing.TB, group string) (list []T) {
	t.Helper()
	all := Of(t)
	for _, raw := range all.group(t, group).Vectors {
		var v T
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: a vector of group %q: %v", File, group, err)
		}
		list = append(list, v)
	}
	if len(list) == 0 {
		t.Fatalf("%s: group %q is empty", File, group)
	}
	return list
}

// Hold fails the test unless the group in the file has exactly these vectors. With -update it writes
// them there.
func Hold[T any](t testing.TB, group string, list []T) {
	t.Helper()
	all := Of(t)
	g := all.group(t, group)
	var made []json.RawMessage
	for _, v := range list {
		made = append(made, plain(t, v))
	}
	same := len(made) == len(g.Vectors)
	for i := 0; same && i < len(made); i++ {
		if !bytes.Equal(made[i], plain(t, g.Vectors[i])) {
			t.Logf("the test makes\n%s\nthe file has\n%s", made[i], plain(t, g.Vectors[i]))
			same = false
		}
	}
	switch {
	case same:
	case !*update:
		t.Errorf("%s: group %q is not what the test makes; go generate . writes it anew", File, group)
	default:
		g.Vectors = made
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		err := e.Encode(all)
		if err == nil {
			err = os.WriteFile(path(t), out.Bytes(), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// plain is a value as JSON without white space.
func plain(t testing.TB, v any) []byte {
	t.Helper()
	var encoded, out bytes.Buffer
	e := json.NewEncoder(&encoded)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	if err == nil {
		err = json.Compact(&out, encoded.Bytes())
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
