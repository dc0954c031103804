package fuzz

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// readCorpora reads the byte strings in the corpora of this module's fuzz targets: testdata/fuzz
// beside each of them.
func readCorpora(t testing.TB) (inputs [][]byte) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != ".." && nested(path):
			return fs.SkipDir // another module, or a folder of tools
		case d.IsDir() || !strings.Contains(filepath.ToSlash(path), "/testdata/fuzz/"):
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		inputs = append(inputs, byteStrings(b)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(inputs) == 0 {
		t.Fatal("there are no corpora in testdata/fuzz")
	}
	return inputs
}

// nested reports whether a folder is another module's, or hidden.
func nested(path string) bool {
	if strings.HasPrefix(filepath.Base(path), ".") {
		return true
	}
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil
}

// byteStrings returns the values of type []byte and string in a file of a corpus.
func byteStrings(file []byte) (found [][]byte) {
	for line := range bytes.Lines(file) {
		text := strings.TrimSpace(string(line))
		for _, typ := range []string{"[]byte(", "string("} {
			if s, ok := strings.CutPrefix(text, typ); ok {
				if s, err := strconv.Unquote(strings.TrimSuffix(s, ")")); err == nil {
					found = append(found, []byte(s))
				}
			}
		}
	}
	return found
}

// datagramSeeds are datagrams as others send them: a ClientHello, alerts, records of any epoch.
func datagramSeeds() [][]byte {
	hello := append([]byte{22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 1, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 48, 0xfe, 0xfd}, make([]byte, 32)...)
	hello = append(hello, 0, 0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 4, 0, 23, 0, 0)
	return [][]byte{
		hello,
		{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 0},
		{20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1},
		append([]byte{23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 64}, make([]byte, 64)...),
	}
}
