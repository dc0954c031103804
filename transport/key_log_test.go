package transport

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
)

// tapped is a datagram as a listener on the way sees it.
type tapped struct {
	from, to netip.AddrPort
	data     []byte
}

// A capture and the key log of either end are enough to read what was said, and Listen warns of it.
// The keys are derived here from the logged secret alone, as RFC 5246 6.3 and RFC 5288 3 say.
func TestKeyLog(t *testing.T) {
	t.Parallel()
	var capture []tapped
	var logs [2]bytes.Buffer
	virtual(t, func(w *world) {
		w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
			capture = append(capture, tapped{from, to, bytes.Clone(b)})
			return true
		})
		w.serve(func(c *Config) { c.KeyLog = &logs[0] })
		w.echo(w.dial(1, func(c *ClientConfig) { c.KeyLog = &logs[1] }), "read by everybody")
		alarms := 0
		for _, e := range w.audit.all() {
			if e.Decision == audit.Alarm && e.Detail == "key log is on: whoever reads it reads all traffic" {
				alarms++
			}
		}
		if alarms != 1 {
			w.Errorf("%d alarms: %+v", alarms, w.audit.all())
		}
	})
	if logs[0].String() != logs[1].String() {
		t.Fatal("server and client have logged different secrets")
	}
	for _, player := range []bool{true, false} {
		if text := deciphered(t, logs[0].String(), capture, player); !strings.Contains(text, "read by everybody") {
			t.Errorf("from the player %v: %q", player, text)
		}
	}
	t.Run("tshark", func(t *testing.T) { tsharkReads(t, logs[0].Bytes(), capture) })
}

// Without KeyLog no secret is written, and no alarm.
func TestNoKeyLog(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		w.dial(1)
		for _, e := range w.audit.all() {
			if e.Decision == audit.Alarm {
				w.Errorf("%+v", e)
			}
		}
	})
	if newKeyLog(nil, nil) != nil {
		t.Error("no writer, and yet a log")
	}
}

// panicking is a writer that panics.
type panicking struct{ calls int }

func (p *panicking) Write([]byte) (int, error) {
	p.calls++
	panic("the disk is full")
}

// "a writer that panics is not called again, which is an alarm, too": players get in all the same.
func TestKeyLogPanics(t *testing.T) {
	t.Parallel()
	var logs [2]panicking
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.KeyLog = &logs[0] })
		for n := range 2 {
			w.echo(w.dial(n+1, func(c *ClientConfig) { c.KeyLog = &logs[1] }), "in")
		}
		if n := w.audits(audit.Alarm); n != 2 {
			w.Errorf("%d alarms: %+v", n, w.audit.all())
		}
	})
	if logs[0].calls != 1 || logs[1].calls != 2 { // each client has a log of its own
		t.Errorf("called %d and %d times", logs[0].calls, logs[1].calls)
	}
}

// deciphered returns the plaintext of all records of application data from one end.
func deciphered(t *testing.T, log string, capture []tapped, fromPlayer bool) string {
	t.Helper()
	fields := strings.Fields(log)
	if len(fields) != 3 || fields[0] != "CLIENT_RANDOM" {
		t.Fatalf("no line of a key log: %q", fields)
	}
	clientRandom, err1 := hex.DecodeString(fields[1])
	master, err2 := hex.DecodeString(fields[2])
	if err1 != nil || err2 != nil || len(master) != 48 {
		t.Fatal("no secret: ", err1, err2)
	}
	newHash, keyLen, serverRandom := sha256.New, 16, []byte(nil)
	for _, c := range capture { // ServerHello: record 13, message 12, version 2, random 32, no session id, suite 2
		if c.from == serverAddr && c.data[0] == 22 && c.data[13] == 2 {
			hello := c.data[13+12+2:]
			serverRandom = hello[:32]
			if suite := binary.BigEndian.Uint16(hello[33+int(hello[32]):]); suite == 0xc02c || suite == 0xc030 {
				newHash, keyLen = sha512.New384, 32
			}
		}
	}
	block := prf(newHash, master, append([]byte("key expansion"), append(slices.Clone(serverRandom), clientRandom...)...), 2*keyLen+8)
	key, iv := block[:keyLen], block[2*keyLen:][:4]
	if !fromPlayer {
		key, iv = block[keyLen:2*keyLen], block[2*keyLen+4:]
	}
	cipherBlock, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(cipherBlock)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, c := range capture {
		if c.data[0] != 23 || (c.to == serverAddr) != fromPlayer {
			continue
		}
		rec := c.data
		aad := slices.Concat(rec[3:11], rec[:3], binary.BigEndian.AppendUint16(nil, uint16(len(rec)-13-8-16)))
		plain, err := gcm.Open(nil, slices.Concat(iv, rec[13:21]), rec[21:], aad)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(plain)
	}
	return text.String()
}

// prf is that of RFC 5246 5; seed begins with the label.
func prf(newHash func() hash.Hash, secret, seed []byte, n int) (out []byte) {
	sum := func(parts ...[]byte) []byte {
		m := hmac.New(newHash, secret)
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	for a := sum(seed); len(out) < n; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:n]
}

// tsharkReads has Wireshark's own program decrypt the capture. It is installed only where CI is set.
func tsharkReads(t *testing.T, log []byte, capture []tapped) {
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("CI") == "" {
			t.Skip("tshark is not installed: the key log is tried with this test's own decryption only")
		}
		if err := testkit.Install("tshark"); err != nil {
			t.Skip("tshark cannot be installed: ", err)
		}
	}
	folder := t.TempDir()
	logFile, pcapFile := filepath.Join(folder, "keys.log"), filepath.Join(folder, "game.pcap")
	if err := os.WriteFile(logFile, log, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pcapFile, pcap(capture), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "tshark", "-r", pcapFile, "-o", "tls.keylog_file:"+logFile,
		"-d", "udp.port==7777,dtls", "-T", "fields", "-e", "data.data", "-Y", "dtls.app_data")
	cmd.Env = append(os.Environ(), "HOME="+folder)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(out, []byte(hex.EncodeToString([]byte("read by everybody")))); n != 2 {
		t.Errorf("tshark has found the payload %d times, want once each way: %.2000s", n, out)
	}
}

// pcap writes datagrams as a capture file of raw IPv4.
func pcap(capture []tapped) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4)
	b = le.AppendUint32(le.AppendUint32(append(b, make([]byte, 8)...), 65535), 101) // LINKTYPE_RAW
	for i, c := range capture {
		length := 28 + len(c.data)
		at := time.Unix(1_800_000_000, int64(i)*int64(time.Millisecond))
		b = le.AppendUint32(le.AppendUint32(b, uint32(at.Unix())), uint32(at.Nanosecond()/1000))
		b = le.AppendUint32(le.AppendUint32(b, uint32(length)), uint32(length))
		be := binary.BigEndian
		b = be.AppendUint16(append(b, 0x45, 0), uint16(length))
		b = append(b, 0, 0, 0, 0, 64, 17, 0, 0) // UDP, checksum not checked
		from, to := c.from.Addr().As4(), c.to.Addr().As4()
		b = append(append(b, from[:]...), to[:]...)
		b = be.AppendUint16(be.AppendUint16(b, c.from.Port()), c.to.Port())
		b = append(be.AppendUint16(b, uint16(8+len(c.data))), 0, 0)
		b = append(b, c.data...)
	}
	return b
}
