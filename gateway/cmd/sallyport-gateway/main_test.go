package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dev"
)

func try(args []string, env map[string]string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(context.Background(), nil, args, func(name string) string { return env[name] }, &out, &errs)
	return status, out.String(), errs.String()
}

// certify returns the files of a certificate and its key.
func certify(t *testing.T) (cert, key string) {
	t.Helper()
	c, err := dev.NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	store(t, cert, key, &c)
	return cert, key
}

// store writes a certificate and its key to their files.
func store(t *testing.T, cert, key string, c *tls.Certificate) {
	t.Helper()
	private, err := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, key: {Type: "EC PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What cannot be meant is one sentence that says what to do.
func TestUsage(t *testing.T) {
	t.Parallel()
	key, session := map[string]string{"SALLYPORT_NAKAMA_SERVER_KEY": "k"}, map[string]string{"SALLYPORT_NAKAMA_SESSION_KEY": strings.Repeat("k", 32)}
	base := []string{"-nakama", "http://127.0.0.1:7350", "-cert", "none.pem", "-key", "none.pem"}
	with := func(more ...string) []string { return append(append([]string(nil), base...), more...) }
	for name, c := range map[string]struct {
		args   []string
		env    map[string]string
		status int
		says   string
	}{
		"nothing":             {nil, nil, 2, "-nakama"},
		"no certificate":      {base[:2], key, 2, "-cert"},
		"no key":              {base, nil, 2, "SALLYPORT_NAKAMA_SERVER_KEY"},
		"no issuer":           {base, key, 2, "-cognito-pool"},
		"two issuers":         {with("-cognito-pool", "p", "-issuer", "i"), key, 2, "-cognito-pool"},
		"session and issuer":  {with("-issuer", "i"), session, 2, "SALLYPORT_NAKAMA_SESSION_KEY"},
		"an argument":         {with("x"), session, 2, `"x"`},
		"no such file":        {base, session, 1, "none.pem"},
		"op codes":            {with("-unreliable", "2,x"), session, 1, "-unreliable"},
		"an unknown flag":     {with("-quick"), session, 2, "-quick"},
		"a filter, no port":   {with("-filter", "/sys/fs/bpf/sallyport", "-listen", ":0"), session, 2, "-listen"},
		"a file without keys": {with("-fleet-keys", os.DevNull), session, 1, "none.pem"},
	} {
		status, _, says := try(c.args, c.env)
		if status != c.status || !strings.Contains(says, c.says) || strings.Count(says, "\n") != 1 {
			t.Errorf("%s: status %d, %q", name, status, says)
		}
	}
	if status, help, _ := try([]string{"-h"}, nil); status != 0 || !strings.Contains(help, "SALLYPORT_NAKAMA_SECRET") {
		t.Errorf("-h: status %d, %s", status, help)
	}
}

// The document names no flag, variable and metric that does not exist.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "nakama-gateway.md"))
	if err != nil {
		t.Fatal(err)
	}
	f := newFlags(os.Getenv)
	flags := regexp.MustCompile("(?:`|[ \t]|^)-([a-z]+(?:-[a-z]+)*)(?:`|[ \n])")
	others := map[string]bool{"C": true, "tags": true, "o": true, "h": true, "run": true, "v": true, "bench": true}
	found := 0
	for _, m := range flags.FindAllStringSubmatch(string(text), -1) {
		if others[m[1]] {
			continue
		}
		found++
		if f.set.Lookup(m[1]) == nil {
			t.Errorf("the document names -%s", m[1])
		}
	}
	if found < 10 {
		t.Errorf("only %d flags were found in the document", found)
	}
	for _, m := range regexp.MustCompile(`SALLYPORT_NAKAMA_[A-Z_]+`).FindAllString(string(text), -1) {
		if !strings.Contains(help, m) {
			t.Errorf("the document names %s, and -h does not", m)
		}
	}
	source, err := os.ReadFile(filepath.Join("..", "..", "nakama", "metrics.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`sallyport_nakama_[a-z_]+`).FindAllString(string(text), -1) {
		if !strings.Contains(string(source), `"`+m+`"`) {
			t.Errorf("the document names the metric %s", m)
		}
	}
}
