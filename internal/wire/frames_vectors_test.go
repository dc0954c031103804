package wire

import (
	"strings"
	"testing"

	shared "github.com/sallyport/sallyport/internal/vectors"
)

// framesVector is one of the group "frames".
type framesVector struct {
	Name   string   `json:"name"`
	Bytes  string   `json:"bytes"`
	Fields []object `json:"fields"`
}

// refusedVector is bytes that a receiver must not take, for a reason of section 11, because of one
// rule. What they have instead of what is right is all that is wrong with them.
type refusedVector struct {
	Name    string `json:"name"`
	Bytes   string `json:"bytes"`
	Reason  string `json:"reason"`
	Rule    string `json:"rule"` // section and words
	Instead string `json:"instead,omitempty"`
}

// The file has the frames of the tests, for programs in other languages; go generate writes it anew.
func TestFrameVectorsFile(t *testing.T) {
	var frames []framesVector
	for _, v := range frameVectors {
		frames = append(frames, framesVector{v.name, strings.ReplaceAll(v.hex, " ", ""), framesOf(t, unhex(t, v.hex))})
	}
	shared.Hold(t, "frames", frames)
	var malformed []refusedVector
	for _, v := range malformedFrames {
		malformed = append(malformed, refusedVector{v.name, strings.ReplaceAll(v.hex, " ", ""), "malformed", v.rule, strings.ReplaceAll(v.instead, " ", "")})
	}
	shared.Hold(t, "malformed frames", malformed)
}
