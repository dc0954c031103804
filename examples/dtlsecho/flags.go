package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/sallyport/sallyport/internal/lab/command"
	"github.com/sallyport/sallyport/internal/plaindtls"
	"github.com/sallyport/sallyport/policy"
)

const help = `Dtlsecho sends back what it is sent over DTLS 1.2, for talking to foreign DTLS stacks.

Server:
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -keyout key.pem -out cert.pem
  dtlsecho -listen 127.0.0.1:4433 -cert cert.pem -key key.pem
It prints "ready" once it listens, and then one JSON object a line for each connection, when its first record has come:
  {"addr": "127.0.0.1:40312", "exporter": "6e1c…", "suite": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}
exporter is the keying material for the label EXPORTER-Channel-Binding without a context, 32 bytes in hex; with -client-auth,
"certificate" is the SHA-256 of the certificate that the client has shown and proven to hold the key of.

Foreign clients:
  openssl s_client -dtls1_2 -connect 127.0.0.1:4433 -CAfile cert.pem \
    -keymatexport EXPORTER-Channel-Binding -keymatexportlen 32
  gnutls-cli --udp --port 4433 --x509cafile cert.pem localhost

Client:
  dtlsecho -connect 127.0.0.1:4433 -ca cert.pem
  openssl s_server -dtls1_2 -accept 4433 -cert cert.pem -key key.pem       a foreign server for it
It sends each line of its standard input, newline included, as one record, and prints what returns. It ends when its input
has ended and there were as many answers as lines, or 2 seconds later.

Spoken are DTLS 1.2, ECDHE with AES-128-GCM or AES-256-GCM, and the extended master secret; keys are ECDSA P-256 or RSA of
2048 bits and more. A record carries at most 1163 bytes. On a loopback address the server bounds handshakes in all, not for
each source: everybody there has the same one.

Exit status: 0 done, or stopped by a signal; 1 no connection, or it broke; 2 a flag, file or address could not be used.

Flags:
`

// flags is the command line.
type flags struct {
	listen, connect, name string
	cert, key, ca         string
	clientAuth, keylog    string
	mtu                   int
	xor                   bool
}

// clientAuths are the values of -client-auth.
var clientAuths = map[string]tls.ClientAuthType{
	"": tls.NoClientCert, "any": tls.RequireAnyClientCert, "request": tls.RequestClientCert,
}

// complain writes one sentence and returns the exit status.
func complain(stderr io.Writer, code int, err error) int {
	fmt.Fprintf(stderr, "dtlsecho: %v\n", err)
	return code
}

// parse reads the command line. Without flags to go on with it returns the exit status.
func parse(args []string, stdout, stderr io.Writer) (*flags, int) {
	f := &flags{}
	set := flag.NewFlagSet("dtlsecho", flag.ContinueOnError)
	set.StringVar(&f.listen, "listen", "", "server: UDP `address` to listen on; port 0 means a free one, named on standard error")
	set.StringVar(&f.connect, "connect", "", "client: UDP `address` of the server")
	set.StringVar(&f.cert, "cert", "", "PEM `file`: certificate, leaf first; a client needs none unless it is asked")
	set.StringVar(&f.key, "key", "", "PEM `file`: its private key")
	set.StringVar(&f.ca, "ca", "", "client: PEM `file` of whom to trust, or of the server's own certificate; empty means the system's")
	set.StringVar(&f.name, "name", "", "client: `name` that the server's certificate must be for; empty means the host of -connect")
	set.StringVar(&f.clientAuth, "client-auth", "", "server: client certificates, `any|request`: any must be shown, or may be")
	set.IntVar(&f.mtu, "mtu", 1200, "largest UDP payload of the handshake in `bytes`, 256 to 1500")
	set.StringVar(&f.keylog, "keylog", "", "`file` to which the secrets of every connection are appended in NSS key log format, for Wireshark")
	set.BoolVar(&f.xor, "xor", false, "server: send each byte back xor 0xff")
	if status, ok := command.Parse(set, help, args, f.check, stdout, stderr); !ok {
		return nil, status
	}
	return f, exitOK
}

// check says what is wrong with the flags, what is in files aside.
func (f *flags) check(rest []string) error {
	_, known := clientAuths[f.clientAuth]
	if err := command.NoRest(rest); err != nil {
		return err
	}
	switch {
	case (f.listen == "") == (f.connect == ""):
		return errors.New("give -listen for a server, or -connect for a client")
	case f.listen != "" && (f.ca != "" || f.name != ""):
		return errors.New("-ca and -name are for clients: leave them out with -listen")
	case f.connect != "" && (f.clientAuth != "" || f.xor):
		return errors.New("-client-auth and -xor are for servers: leave them out with -connect")
	case f.listen != "" && f.cert == "":
		return errors.New("give -cert and -key: a server must show a certificate")
	case (f.cert == "") != (f.key == ""):
		return errors.New("give -cert and -key together")
	case !known:
		return fmt.Errorf("-client-auth %q: must be any or request", f.clientAuth)
	case f.mtu < 256 || f.mtu > 1500:
		return fmt.Errorf("-mtu %d: must be 256 to 1500", f.mtu)
	}
	return nil
}

// config reads the files. closeLog is to be called at the end.
func (f *flags) config() (c plaindtls.Config, closeLog func(), err error) {
	c = plaindtls.Config{ClientAuth: clientAuths[f.clientAuth], ServerName: f.name, MTU: f.mtu}
	if f.cert != "" {
		if c.Certificate, err = tls.LoadX509KeyPair(f.cert, f.key); err != nil {
			return c, nil, fmt.Errorf("cannot use -cert %s with -key %s: %w", f.cert, f.key, err)
		}
	}
	if f.ca != "" {
		if c.RootCAs, err = readPool(f.ca); err != nil {
			return c, nil, err
		}
	}
	if onLoopback(f.listen) {
		c.MaxUnproven = plaindtls.DefaultMaxHandshakes
		c.Sources = policy.SourceConfig{PerSecond: plaindtls.DefaultMaxHandshakes, Burst: plaindtls.DefaultMaxHandshakes}
	}
	if f.keylog == "" {
		return c, func() {}, nil
	}
	file, err := command.OpenKeyLog(f.keylog)
	if err != nil {
		return c, nil, err
	}
	c.KeyLog = file
	return c, func() { file.Close() }, nil //nolint:errcheck // each line has been written already
}

func readPool(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read -ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("-ca %s holds no certificate: give PEM", path)
	}
	return pool, nil
}
