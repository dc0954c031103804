package netsim_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

var serverAddr = netip.MustParseAddrPort("192.0.2.1:7777")

// match is a match server on a simulated network.
type match struct {
	network *netsim.Network
	server  *transport.Server
	issuer  *token.Issuer
	pin     [32]byte
	served  chan error
}

// newMatch starts a server that answers each input with its own bytes.
func newMatch() (*match, error) {
	m := &match{network: netsim.New(1), served: make(chan error, 1)}
	certificate, err := dev.NewCertificate()
	if err != nil {
		return nil, err
	}
	m.pin = sha256.Sum256(certificate.Certificate[0])
	if m.issuer, err = token.NewIssuer(token.IssuerConfig{Issuer: "https://login.example", Audience: "match"}); err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(m.issuer.Profile())
	if err != nil {
		return nil, err
	}
	socket, err := m.network.Listen(serverAddr)
	if err != nil {
		return nil, err
	}
	m.server, err = transport.Listen("", transport.Config{Conn: socket, Certificate: certificate, Verifier: verifier})
	if err != nil {
		return nil, err
	}
	go func() {
		m.served <- m.server.Serve(transport.Handler{
			Receive: func(p *transport.Player, input []byte) { p.Send(input) },
		})
	}()
	return m, nil
}

// join lets a player in, over a line with the given impairment up and down.
func (m *match) join(ctx context.Context, addr, name string, up, down netsim.Impairment) (*transport.Client, error) {
	socket, err := m.network.Listen(netip.MustParseAddrPort(addr))
	if err != nil {
		return nil, err
	}
	if err := socket.SetImpairment(up); err != nil {
		return nil, err
	}
	if err := socket.SetIncoming(down); err != nil {
		return nil, err
	}
	return transport.Dial(ctx, serverAddr.String(), transport.ClientConfig{
		Conn: socket,
		Pin:  &m.pin,
		Token: func(context.Context) ([]byte, error) {
			raw, err := m.issuer.Mint(time.Now(), token.Grant{Subject: name})
			return []byte(raw), err
		},
	})
}

func (m *match) close() error {
	m.server.Close()
	<-m.served
	return m.network.Close()
}

// A player joins over a line of 512 kbit/s up and 2 Mbit/s down that loses 1 % of what comes down.
func Example() {
	m, err := newMatch()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := m.join(ctx, "198.51.100.7:1000", "alice",
		netsim.Impairment{Latency: 5 * time.Millisecond, Bandwidth: 512_000},
		netsim.Impairment{Loss: 0.01, Bandwidth: 2_000_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	b := make([]byte, client.MaxPayload())
	for n := 0; n == 0; { // a datagram may be lost
		if err := client.Send([]byte("jump")); err != nil {
			fmt.Println(err)
			return
		}
		wait, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		n, _ = client.Receive(wait, b)
		cancel()
		if n > 0 {
			fmt.Printf("%s\n", b[:n])
		}
	}
	// Output: jump
}
