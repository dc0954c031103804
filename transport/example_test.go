package transport_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// The game's own reasons, which its clients know, too.
const (
	reasonCheating = session.ReasonGame + iota
	reasonLevel
	reasonTeam
)

// A client that is kicked learns why, in a number for the program and a text for a log.
func ExamplePlayer_Kick() {
	m := newMatch(transport.Handler{Receive: func(p *transport.Player, input []byte) {
		if string(input) == "fly" {
			p.Kick(reasonCheating, "nobody can fly")
		}
	}}, nil)
	defer m.close()
	client, err := m.join("alice")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := client.Send([]byte("fly")); err != nil {
		log.Fatal(err)
	}
	_, err = client.Receive(context.Background(), make([]byte, client.MaxPayload()))
	var closed *transport.CloseError
	if errors.As(err, &closed) {
		fmt.Println(closed.Reason == reasonCheating, closed.Detail, errors.Is(err, net.ErrClosed))
	}
	// Output: true nobody can fly true
}

// Join sees what the client has sent along, and can refuse the player before the client has got
// anything of the game.
func ExamplePlayer_Refuse() {
	m := newMatch(transport.Handler{Join: func(p *transport.Player) {
		if team := string(p.Metadata()); team != "blue" {
			p.Refuse(reasonTeam, "there is no such team")
		}
	}}, nil)
	defer m.close()
	_, err := m.join("alice")
	var closed *transport.CloseError
	if errors.As(err, &closed) {
		fmt.Println(closed.Reason == reasonTeam, closed.Detail)
	}
	// Output: true there is no such team
}

// A ban ends the player's sessions, and keeps the player out whatever token it shows.
func ExampleServer_Ban() {
	m := newMatch(transport.Handler{}, nil)
	defer m.close()
	alice, err := m.join("alice")
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Close()
	ended, err := m.server.Ban(session.Ban{Issuer: dev.Issuer, Subject: "alice", Until: time.Now().Add(time.Hour)})
	fmt.Println(ended, err)

	_, err = m.join("alice")
	fmt.Println(err)

	fmt.Println(m.server.Lift(dev.Issuer, "alice"))
	again, err := m.join("alice")
	if err != nil {
		log.Fatal(err)
	}
	again.Close()
	// Output:
	// 1 <nil>
	// transport: session closed: revoked
	// true
}

// Authorize is asked before a player is let in.
func ExampleConfig_authorize() {
	m := newMatch(transport.Handler{}, func(a *session.Admission) error {
		if a.Claims.Subject != "alice" {
			return session.Refusal(reasonLevel)
		}
		return nil
	})
	defer m.close()
	alice, err := m.join("alice")
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Close()
	_, err = m.join("bob")
	var closed *transport.CloseError
	fmt.Println(errors.As(err, &closed) && closed.Reason == reasonLevel)
	// Output: true
}

// OnEvent tells of what happens between payloads: here of the end, with the error that Receive
// returns, too.
func ExampleClientConfig_onEvent() {
	m := newMatch(transport.Handler{}, nil)
	ended := make(chan transport.ClientEvent, 1)
	client, err := m.join("alice", func(e transport.ClientEvent) {
		fmt.Println(e.Kind)
		if e.Kind == transport.EventClosed {
			ended <- e
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	m.close()
	fmt.Println((<-ended).Err)
	// Output:
	// joined
	// notice
	// closed
	// transport: session closed: server shutting down
}

// A game with a frame loop polls its client once a frame, and needs no goroutine for it.
func ExampleClient_Poll() {
	m := newMatch(transport.Handler{Receive: func(p *transport.Player, input []byte) { p.Send(input) }}, nil)
	defer m.close()
	client, err := m.join("alice")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	seen := false
	handler := transport.ClientHandler{Receive: func(payload []byte) {
		fmt.Printf("%s\n", payload)
		seen = true
	}}
	client.Send([]byte("jump"))
	for !seen { // each turn is a frame
		if _, err := client.Poll(handler); err != nil {
			log.Fatal(err) // the session is over
		}
		time.Sleep(time.Second / 60) // simulate, draw
	}
	// Output: jump
}

// Messages arrive whole, each exactly once on this lane, and in order, however many datagrams they
// take and whatever the network loses.
func ExampleClient_SendMessage() {
	const chat = 0
	m := newMatch(transport.Handler{Message: func(p *transport.Player, lane int, _ uint64, b []byte) {
		p.SendMessage(lane, append([]byte("you said: "), b...))
	}}, nil, transport.Lane{Mode: transport.Ordered})
	defer m.close()
	client, err := m.join("alice")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	client.SendMessage(chat, []byte("hello"))
	client.SendMessage(chat, []byte("bye"))
	handler := transport.ClientHandler{Message: func(_ int, id uint64, b []byte) {
		if fmt.Printf("%d %s\n", id, b); id == 2 {
			go client.Close()
		}
	}}
	err = client.Serve(handler) // a game with a frame loop calls Poll
	fmt.Println(errors.Is(err, net.ErrClosed))
	// Output:
	// 1 you said: hello
	// 2 you said: bye
	// true
}

// match is a server that serves, with a login.
type match struct {
	login  *dev.Login
	server *transport.Server
}

func newMatch(h transport.Handler, authorize func(*session.Admission) error, lanes ...transport.Lane) *match {
	login, err := dev.NewLogin(dev.Config{Address: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	config := login.Config()
	config.Session.Authorize = authorize
	config.Lanes = lanes
	server, err := transport.Listen("127.0.0.1:0", config)
	if err != nil {
		log.Fatal(err)
	}
	go login.Serve(server.Addr())
	go server.Serve(h)
	return &match{login, server}
}

// join signs in and dials.
func (m *match) join(name string, onEvent ...func(transport.ClientEvent)) (*transport.Client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	address, config, err := dev.SignIn(ctx, m.login.Addr().String(), name)
	if err != nil {
		return nil, err
	}
	config.Session.Lanes = true
	for _, f := range onEvent {
		config.OnEvent = f
	}
	return transport.Dial(ctx, address, config)
}

func (m *match) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	m.server.Shutdown(ctx)
	m.login.Close()
}
