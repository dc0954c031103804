package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/chain"
)

// piped is sallyport with standard input.
func piped(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(t.Context(), console{strings.NewReader(stdin), &out, &err}, args)
	return status, out.String(), err.String()
}

// file writes a file for a test.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// auditKeys makes a key pair as the program does.
func auditKeys(t *testing.T) (key, public string) {
	t.Helper()
	dir := t.TempDir()
	key, public = filepath.Join(dir, "key"), filepath.Join(dir, "pub")
	if status, out, err := sallyport(t, "audit", "keygen", "-key", key, "-public", public); status != exitOK || err != "" || !strings.HasPrefix(out, "key ") {
		t.Fatalf("%d, %q, %q", status, out, err)
	}
	return key, public
}

// auditLog is the audit of a server that has recorded n events by the name of a key file.
func auditLog(t *testing.T, key string, n int, end bool) string {
	t.Helper()
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := chain.ParseSigner(text)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	j, err := audit.NewJSON(&b, audit.JSONConfig{PerSecond: -1, Chain: &audit.ChainConfig{Signer: signer}})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		j.Record(audit.Event{Decision: audit.Accept, Session: 7})
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if end {
		return b.String()
	}
	lines := strings.SplitAfter(b.String(), "\n")
	return strings.Join(lines[:n+1], "")
}

func TestAuditKeygen(t *testing.T) {
	t.Parallel()
	key, public := auditKeys(t)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	before, _ := os.ReadFile(key)
	for _, args := range [][]string{{"-key", key, "-public", public + "2"}, {"-key", key + "2", "-public", public}, {"-key", "/missing/key", "-public", public + "2"}, {"x"}} {
		status, out, err := sallyport(t, append([]string{"audit", "keygen"}, args...)...)
		if status != exitUsage || out != "" || strings.Count(err, "\n") != 1 {
			t.Errorf("%q: %d, %q, %q", args, status, out, err)
		}
	}
	if after, _ := os.ReadFile(key); !bytes.Equal(before, after) {
		t.Error("the key was overwritten")
	}
	if _, err := os.Stat(key + "2"); err == nil {
		t.Error("a private key is left without its public one")
	}
}

func TestAuditVerify(t *testing.T) {
	t.Parallel()
	key, public := auditKeys(t)
	_, other := auditKeys(t)
	log := auditLog(t, key, 5, true)
	lines := strings.SplitAfter(log, "\n")
	altered := strings.Replace(log, `"accept"`, `"reject"`, 1)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(strings.Join(lines[:3], "")))
	z.Close()
	// As logrotate calls them: the newest file is the first of a shell's list.
	newest, oldest := file(t, "audit.jsonl", strings.Join(lines[3:], "")), file(t, "audit.jsonl.1", packed.String())
	backwards := lines[6] + lines[5] + lines[4] + lines[3] + lines[2] + lines[1] + lines[0]
	for name, c := range map[string]struct {
		stdin  string
		args   []string
		status int
		out    string
	}{
		"whole":           {log, []string{"-key", public, "-"}, exitOK, "whole: 7 lines of 1 chain, 2 signed heads, the newest of "},
		"file":            {"", []string{"-key", public, file(t, "a", log)}, exitOK, "whole: 7 lines"},
		"rotated":         {"", []string{"-key", public, newest, oldest}, exitOK, "whole: 7 lines"},
		"packed input":    {packed.String(), []string{"-key", public, "-live", "-"}, exitOK, "note   -:3: chain "},
		"without the old": {"", []string{"-key", public, newest}, exitFailed, "lines 1 to 3 are not here"},
		"partial":         {"", []string{"-key", public, "-partial", newest}, exitOK, "whole: 4 lines"},
		"altered":         {altered, []string{"-key", public, "-"}, exitFailed, "FAULT  -:2: chain " + id(lines[0])[:8] + ": line 2 was altered: line 3 was written after something else\nNOT WHOLE: 1 fault; 7 lines"},
		"another key":     {log, []string{"-key", other, "-"}, exitFailed, "is signed with a key that was not given"},
		"two keys":        {log, []string{"-key", other, "-key", public, "-"}, exitOK, "whole"},
		"running":         {strings.Join(lines[:6], ""), []string{"-key", public, "-live", "-"}, exitOK, "whole"},
		"running or not":  {strings.Join(lines[:6], ""), []string{"-key", public, "-"}, exitFailed, "lines 2 to 6 are unsigned"},
		"backwards":       {backwards, []string{"-key", public, "-"}, exitFailed, "misplaced"},
		"any order":       {backwards, []string{"-key", public, "-any-order", "-"}, exitOK, "whole"},
		"nothing":         {"", []string{"-key", public, "-"}, exitFailed, "NOT WHOLE: there is no line of a chain\n"},
		"another's log":   {"{}\n{}\n", []string{"-key", public, "-"}, exitFailed, "FAULT  -:1-2: no line of a chain"},
		"more than -max":  {altered + altered, []string{"-key", public, "-max", "1", "-"}, exitFailed, "more: -max prints them"},
		"no key":          {log, []string{"-"}, exitUsage, "-key is missing"},
		"private key":     {log, []string{"-key", key, "-"}, exitUsage, "it is a private key"},
		"missing key":     {log, []string{"-key", "/missing", "-"}, exitUsage, "no such file"},
		"no file":         {log, []string{"-key", public}, exitUsage, "give files"},
		"missing file":    {log, []string{"-key", public, "/missing"}, exitUsage, "no such file"},
		"a folder":        {log, []string{"-key", public, t.TempDir()}, exitUsage, "is a directory"},
		"cut off gzip":    {packed.String()[:packed.Len()-9], []string{"-key", public, "-"}, exitUsage, "unexpected EOF"},
		"bad -max":        {log, []string{"-key", public, "-max", "-1", "-"}, exitUsage, "-max -1"},
	} {
		status, out, err := piped(t, c.stdin, append([]string{"audit", "verify"}, c.args...)...)
		text := out
		if c.status == exitUsage {
			text = err
			if out != "" || strings.Count(err, "\n") != 1 {
				t.Errorf("%s: %q, %q", name, out, err)
			}
		} else if err != "" {
			t.Errorf("%s: %q", name, err)
		}
		if status != c.status || !strings.Contains(text, c.out) {
			t.Errorf("%s: status %d, want %d with %q:\n%s", name, status, c.status, c.out, text)
		}
	}
}

// A file whose first line is the longest that a player's texts can make is found in its place.
func TestAuditVerifyLongFirstLine(t *testing.T) {
	t.Parallel()
	key, public := auditKeys(t)
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := chain.ParseSigner(text)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	j, err := audit.NewJSON(&b, audit.JSONConfig{PerSecond: -1, Chain: &audit.ChainConfig{Signer: signer}})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("<", 128)
	for i := range 6 {
		j.Record(audit.Event{ // an event may be older than the line before it
			Time: time.Now().Add(-time.Duration(i) * time.Second), Decision: audit.Accept, Platform: long, Build: long, Scope: long, Detail: long, Issuer: long, Part: long, Cause: long, Version: long,
		})
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(b.String(), "\n")
	if len(lines[3]) <= 4096 {
		t.Fatalf("the longest line has %d bytes only", len(lines[3]))
	}
	var files []string
	for i := 6; i >= 0; i -= 2 { // the newest first, as a shell lists them
		files = append(files, file(t, "audit", strings.Join(lines[i:min(i+2, 8)], "")))
	}
	if status, out, err := sallyport(t, append([]string{"audit", "verify", "-key", public}, files...)...); status != exitOK {
		t.Errorf("%d %s %s", status, out, err)
	}
}

// id is the id of the chain of a line.
func id(line string) string {
	var l struct {
		Unmapped struct{ Chain struct{ ID string } }
	}
	json.Unmarshal([]byte(line), &l)
	return l.Unmapped.Chain.ID
}

// "With -json each finding is one line of JSON, and a summary is the last one."
func TestAuditVerifyJSON(t *testing.T) {
	t.Parallel()
	key, public := auditKeys(t)
	log := auditLog(t, key, 5, true)
	_, out, _ := piped(t, strings.Replace(log, `"accept"`, `"reject"`, 1), "audit", "verify", "-key", public, "-json", "-")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var f finding
	var s struct {
		Summary struct {
			Whole         bool
			Faults, Lines int
		}
	}
	if len(lines) != 2 || json.Unmarshal([]byte(lines[0]), &f) != nil || json.Unmarshal([]byte(lines[1]), &s) != nil {
		t.Fatal(out)
	}
	if f.Kind != "altered" || !f.Fault || f.From != 2 || f.File != "-" || f.Line != 2 || f.Text == "" || s.Summary.Whole || s.Summary.Faults != 1 || s.Summary.Lines != 7 {
		t.Error(out)
	}
}

// "-live: a chain that is open is no fault if its last head is younger than 2m10s", and older it is one.
func TestAuditVerifyLive(t *testing.T) {
	t.Parallel()
	key, public := auditKeys(t)
	synctest.Test(t, func(t *testing.T) {
		log := auditLog(t, key, 5, false)
		for age, want := range map[time.Duration]int{liveAge: exitOK, liveAge + time.Millisecond: exitFailed} {
			time.Sleep(age)
			if status, out, _ := piped(t, log, "audit", "verify", "-key", public, "-live", "-"); status != want {
				t.Errorf("%v: %d, want %d: %s", age, status, want, out)
			}
			log = auditLog(t, key, 5, false)
		}
	})
}

// The help lists every kind of finding by its label, as a fault or as a note.
func TestAuditVerifyHelp(t *testing.T) {
	t.Parallel()
	status, out, _ := sallyport(t, "audit", "verify", "-h")
	if status != exitOK {
		t.Fatal(status)
	}
	faults, notes, _ := strings.Cut(out, "A note is what the writer itself says:")
	for k := chain.Altered; k <= chain.Killed; k++ {
		if text := map[bool]string{true: faults, false: notes}[k.Fault()]; !strings.Contains(text, "\n  "+k.String()+" ") {
			t.Errorf("-h does not list %v", k)
		}
	}
}
