package machine

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/vectors"
	"github.com/sallyport/sallyport/internal/wire"
)

// scheduleVector is an epoch's keys and what comes of them: the group "schedules" and PROTOCOL.md
// 15.3. All bytes are in hex.
type scheduleVector struct {
	Name        string      `json:"name"`
	Secret      string      `json:"secret"`
	Exporter    string      `json:"exporter"` // empty in binding mode none
	Binding     string      `json:"binding"`
	Session     string      `json:"session"`
	Epoch       string      `json:"epoch"`
	Platform    string      `json:"platform"`
	Build       string      `json:"build"`
	Certificate string      `json:"certificate"` // SHA-256 of the client's certificate, empty without one
	Digest      string      `json:"digest"`
	ClientKey   string      `json:"client_key"`
	ServerKey   string      `json:"server_key"`
	Envelopes   []tagVector `json:"envelopes"`
}

type tagVector struct {
	From     string `json:"from"`
	Kind     string `json:"kind"`
	Sequence string `json:"sequence"` // all 64 bits
	Envelope string `json:"envelope"`
}

func (v *scheduleVector) twin() twin {
	return twin{
		secret: unhex(v.Secret), exporter: unhex(v.Exporter), certificate: unhex(v.Certificate), binding: unhex(v.Binding)[0],
		session: binary.BigEndian.Uint32(unhex(v.Session)), epoch: binary.BigEndian.Uint32(unhex(v.Epoch)),
		platform: string(unhex(v.Platform)), build: string(unhex(v.Build)),
	}
}

// The twin and the code of the package both give what the file says.
func TestScheduleVectors(t *testing.T) {
	for i, v := range vectors.Read[scheduleVector](t, "schedules") {
		w := v.twin()
		digest, _, _ := w.fast(t)
		s := keyContext{binding: w.binding, session: w.session, digest: digest}
		copy(s.exporter[:], w.exporter)
		for direction, want := range []string{v.ClientKey, v.ServerKey} {
			secret := [32]byte(w.secret)
			key, err := s.key(&secret, byte(direction), w.epoch)
			if err != nil || hex.EncodeToString(key) != want || hex.EncodeToString(w.key(byte(direction))) != want {
				t.Errorf("schedule %d, direction %d: key %x, twin %x, want %s", i+1, direction, key, w.key(byte(direction)), want)
			}
		}
		if hex.EncodeToString(digest[:]) != v.Digest || hex.EncodeToString(w.digest()) != v.Digest {
			t.Errorf("schedule %d: digest %x, twin %x, want %s", i+1, digest, w.digest(), v.Digest)
		}
		for _, e := range v.Envelopes {
			checkEnvelope(t, w, e)
		}
	}
}

func checkEnvelope(t *testing.T, w twin, v tagVector) {
	t.Helper()
	want := unhex(v.Envelope)
	env, err := wire.Parse(want)
	if err != nil || env.Kind.String() != v.Kind {
		t.Fatalf("%v: %v", env, err)
	}
	seq := binary.BigEndian.Uint64(unhex(v.Sequence))
	_, client, server := w.fast(t)
	direction, sender, receiver := fromClient, client, server
	if v.From == "server" {
		direction, sender, receiver = fromServer, server, client
	}
	if tag := w.tag(direction, env.Kind, seq, len(env.Body)); !bytes.Equal(tag, env.Tag[:]) {
		t.Errorf("%s: the twin's tag is %x", v.Envelope, tag)
	}
	l := link{id: w.session, sequence: seq - 1}
	l.sending.Store(sender)
	if got, err := l.append(nil, env.Kind, env.Body); err != nil || !bytes.Equal(got, want) {
		t.Errorf("append: %x, %v, want %x", got, err, want)
	}
	if env.Epoch != receiver.bits() || !l.checkTag(receiver, &env, seq) || l.checkTag(receiver, &env, seq+1<<32) {
		t.Errorf("%s: not what the receiver takes", v.Envelope)
	}
}

var (
	docSchedule = regexp.MustCompile("(?s)\\*\\*(schedule \\d+)\\*\\*\n\n```text\n(.*?)```\n\n((?:\\|[^\n]*\n)+)")
	docLine     = regexp.MustCompile(`(?m)^([0-9a-f]+) +(.+)$`)
	docRow      = regexp.MustCompile("(?m)^\\| (\\w+) \\| ([A-Z]+) \\| `([0-9a-f]{16})` \\| `([0-9a-f]+)` \\|$")
)

// PROTOCOL.md 15.3, read line by line, agrees with the file.
func TestScheduleVectorsOfDocument(t *testing.T) {
	doc, err := os.ReadFile("../../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []scheduleVector
	for _, block := range docSchedule.FindAllStringSubmatch(string(doc), -1) {
		values, label := map[string]string{}, ""
		for _, line := range docLine.FindAllStringSubmatch(block[2], -1) {
			if line[2] != "..." {
				label, _, _ = strings.Cut(line[2], ":")
			}
			values[label] += line[1]
		}
		v := scheduleVector{
			block[1], values["secret"], values["exporter"], values["binding mode"], values["session id"], values["epoch"],
			values["platform"], values["build"], values["certificate"], values["digest"],
			values["key from the client"], values["key from the server"], nil,
		}
		for _, row := range docRow.FindAllStringSubmatch(block[3], -1) {
			v.Envelopes = append(v.Envelopes, tagVector{row[1], row[2], row[3], row[4]})
		}
		got = append(got, v)
	}
	if want := vectors.Read[scheduleVector](t, "schedules"); !reflect.DeepEqual(got, want) {
		t.Errorf("PROTOCOL.md has\n%+v\nthe file\n%+v", got, want)
	}
}
