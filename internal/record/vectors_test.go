package record

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/internal/vectors"
)

type exporterVector struct {
	Name         string `json:"name"`
	Suite        string `json:"suite"`
	Master       string `json:"master_secret"`
	ClientRandom string `json:"client_random"`
	ServerRandom string `json:"server_random"`
	Exporter     string `json:"exporter"`
}

// The exporter of section 6.1, for each hash of a PRF; go generate writes the file anew.
func TestVectorsExporter(t *testing.T) {
	var list []exporterVector
	for _, suite := range suites {
		s := testSecrets(suite)
		list = append(list, exporterVector{
			suite.String(), fmt.Sprintf("%04x", uint16(suite)), hex.EncodeToString(s.Master[:]), hex.EncodeToString(s.ClientRandom[:]),
			hex.EncodeToString(s.ServerRandom[:]), hex.EncodeToString(s.Export("EXPERIMENTAL-sallyport-v1", 32)),
		})
	}
	vectors.Hold(t, "exporters", list)
}

type recordVector struct {
	Name         string      `json:"name"`
	Key          string      `json:"key"`
	IV           string      `json:"iv"`
	Type         ContentType `json:"type"`
	Number       uint64      `json:"number"`
	ConnectionID string      `json:"connection_id"` // empty without one
	Plaintext    string      `json:"plaintext"`
	Record       string      `json:"record"`
}

type refusedRecord struct {
	Name    string `json:"name"`
	Key     string `json:"key"`
	IV      string `json:"iv"`
	Bytes   string `json:"bytes"`
	Reason  string `json:"reason"`
	Rule    string `json:"rule"`
	Instead string `json:"instead"`
}

// Records from the client, before and after it has a connection id.
func TestVectorsRecords(t *testing.T) {
	var list []recordVector
	for _, v := range []struct {
		name      string
		suite     Suite
		typ       ContentType
		number    uint64
		id        uint32
		plaintext string
	}{
		{"application data", ECDSAWithAES128, ApplicationData, 1, 0, "input"},
		{"application data, AES-256", ECDSAWithAES256, ApplicationData, 1, 0, "input"},
		{"with a connection id", ECDSAWithAES128, ApplicationData, 2, 0xcafe0001, "input"},
		{"with a connection id, AES-256", RSAWithAES256, ApplicationData, 0xabcdef, 0xcafe0001, "input"},
		{"nothing", RSAWithAES128, ApplicationData, 3, 0, ""},
		{"close_notify", ECDSAWithAES128, Alert, 4, 0xcafe0001, "\x01\x00"},
		{"the last number of a key", ECDSAWithAES128, ApplicationData, MaxRecords - 1, 0, "a plaintext of more than one block of AES"},
	} {
		s := testSecrets(v.suite)
		c, err := New(s, true, v.number, 0)
		if err != nil {
			t.Fatal(err)
		}
		made := recordVector{
			Name: v.name, Key: hex.EncodeToString(s.expand().clientKey), IV: hex.EncodeToString(s.expand().clientIV), Type: v.typ,
			Number: v.number, Plaintext: hex.EncodeToString([]byte(v.plaintext)),
		}
		if v.id != 0 {
			if !c.SetConnectionID(v.id) {
				t.Fatalf("%s: the id is refused", v.name)
			}
			made.ConnectionID = fmt.Sprintf("%08x", v.id)
		}
		rec, err := c.Seal(nil, v.typ, []byte(v.plaintext))
		if err != nil {
			t.Fatal(err)
		}
		made.Record = hex.EncodeToString(rec)
		list = append(list, made)
		server, err := New(s, false, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		if typ, got, err := server.Open(rec); err != nil || typ != v.typ || string(got) != v.plaintext {
			t.Errorf("%s: %v, %q, %v", v.name, typ, got, err)
		}
	}
	vectors.Hold(t, "records", list)
}

// "A receiver MUST drop without an alert anything else, anything of DTLS epoch 0 except a new handshake,
// and a record that does not open" PROTOCOL.md 9.2
func TestVectorsRefusedRecords(t *testing.T) {
	s := testSecrets(ECDSAWithAES128)
	c, err := New(s, true, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	good := seal(t, c, "input")
	const (
		other = "9.2: A receiver MUST drop without an alert anything else"
		opens = "9.2: a record that does not open"
	)
	var list []refusedRecord
	for _, v := range []struct {
		name, rule string
		change     func([]byte) []byte
	}{
		{"change_cipher_spec", other, func(b []byte) []byte { b[0] = 20; return b }},
		{"content type 24", other, func(b []byte) []byte { b[0] = 24; return b }},
		{"version 1.0", other, func(b []byte) []byte { b[2] = 0xff; return b }},
		{"DTLS epoch 0", "9.2: anything of DTLS epoch 0 except a new handshake", func(b []byte) []byte { b[4] = 0; return b }},
		{"DTLS epoch 2", other, func(b []byte) []byte { b[4] = 2; return b }},
		{"another content type", opens, func(b []byte) []byte { b[0] = 21; return b }},
		{"another record number", opens, func(b []byte) []byte { b[10]++; return b }},
		{"another explicit nonce", opens, func(b []byte) []byte { b[HeaderLen+7]++; return b }},
		{"another ciphertext", opens, func(b []byte) []byte { b[Prefix]++; return b }},
		{"another tag", opens, func(b []byte) []byte { b[len(b)-1]++; return b }},
		{"cut off", "9.2: length of the rest: 8 + n + 16", func(b []byte) []byte { return b[:len(b)-1] }},
		{"length 23", "9.2: length of the rest: 8 + n + 16", func(b []byte) []byte { b[12] = 23; return b[:HeaderLen+23] }},
		{"header cut off", "9.2: length of the rest: 8 + n + 16", func(b []byte) []byte { return b[:HeaderLen-1] }},
	} {
		bad := v.change(slices.Clone(good))
		list = append(list, refusedRecord{
			v.name, hex.EncodeToString(s.expand().clientKey), hex.EncodeToString(s.expand().clientIV),
			hex.EncodeToString(bad), "record", v.rule, hex.EncodeToString(good),
		})
		server, err := New(s, false, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		if rec, _, ok := Next(bad); ok {
			if _, _, err := server.Open(slices.Clone(rec)); err == nil {
				t.Errorf("%s: it opens", v.name)
			}
		}
		open(t, server, good, "input")
	}
	vectors.Hold(t, "refused records", list)
}
