package wire

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/frames.json anew")

// The file has the frames of the tests, for programs in other languages.
func TestFrameVectorsFile(t *testing.T) {
	type named struct {
		Name string `json:"name"`
		Hex  string `json:"hex"`
	}
	var file struct {
		Frames    []named `json:"frames"`
		Malformed []named `json:"malformed"`
	}
	for _, v := range frameVectors {
		file.Frames = append(file.Frames, named{v.name, strings.ReplaceAll(v.hex, " ", "")})
	}
	for _, v := range malformedFrames {
		file.Malformed = append(file.Malformed, named{v.name, strings.ReplaceAll(v.hex, " ", "")})
	}
	want, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	const name = "testdata/frames.json"
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what go generate makes of the tests: %v", name, err)
	}
}
