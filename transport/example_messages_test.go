package transport_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

const (
	chat = iota
	events
	snapshots
	level
)

// lanes are those of the match, by their numbers.
var lanes = []transport.Lane{
	chat:      {Mode: transport.Ordered},
	events:    {Mode: transport.Reliable},
	snapshots: {Mode: transport.Sequenced, MaxMessage: 6 << 10, Parity: 1}, // one datagram of each may be lost
	level:     {Mode: transport.Ordered, Priority: 1, MaxMessage: 1 << 20, Queue: 2 << 20},
}

// world is the game's simulation, as far as netcode is concerned.
type world struct {
	players map[*transport.Player]bool
	level   []byte
	won     bool
}

// since returns what has changed since a snapshot: the game keeps its newest ones.
func (w *world) since(uint64) []byte { return make([]byte, 3000) }

// said returns a line of the chat. Whoever speaks has won this game.
func (w *world) said(p *transport.Player, text []byte) []byte {
	w.won = true
	return append([]byte(p.Session().Subject()+": "), text...)
}

// A match with chat, events, snapshots of several datagrams as deltas, a level in the background, and
// an end that everybody hears of.
func ExamplePlayer_SendMessage() {
	login, err := dev.NewLogin(dev.Config{Address: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	defer login.Close()
	config := login.Config()
	config.Lanes = lanes
	server, err := transport.Listen("127.0.0.1:0", config)
	if err != nil {
		log.Fatal(err)
	}
	go login.Serve(server.Addr())
	defer server.Close()

	world := &world{players: make(map[*transport.Player]bool), level: make([]byte, 300_000)}
	handler := transport.Handler{
		Join: func(p *transport.Player) {
			world.players[p] = true
			p.SendMessage(level, world.level) // behind everything else
		},
		Message: func(p *transport.Player, lane int, _ uint64, b []byte) {
			server.BroadcastMessage(chat, world.said(p, b))
		},
		Leave: func(p *transport.Player, _ session.Reason) { delete(world.players, p) },
	}
	go func() {
		for over := false; ; time.Sleep(time.Second / 30) {
			if _, err := server.Poll(handler); err != nil {
				return
			}
			for p := range world.players {
				p.SendMessage(snapshots, world.since(p.Delivered(snapshots))) // what p has is known
			}
			if !over && world.won {
				over = true
				server.BroadcastMessage(events, []byte("alice has won"))
				for p := range world.players {
					p.CloseAfter(5*time.Second, session.ReasonGame, "well played") // once all of it has arrived
				}
			}
			server.Flush()
		}
	}()

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	address, clientConfig, err := dev.SignIn(ctx, login.Addr().String(), "alice")
	if err != nil {
		log.Fatal(err)
	}
	clientConfig.Session.Lanes = true
	client, err := transport.Dial(ctx, address, clientConfig)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	var heard [level + 1]string
	err = client.Serve(transport.ClientHandler{Message: func(lane int, id uint64, b []byte) {
		switch lane {
		case chat, events:
			heard[lane] = string(b)
		case level:
			heard[lane] = fmt.Sprintf("a level of %d bytes", len(b))
			client.SendMessage(chat, []byte("hello"))
		}
	}})
	fmt.Println(heard[level])
	fmt.Println(heard[chat])
	fmt.Println(heard[events])
	var closed *transport.CloseError
	if errors.As(err, &closed) {
		fmt.Println(closed.Detail)
	}
	// Output:
	// a level of 300000 bytes
	// alice: hello
	// alice has won
	// well played
}
