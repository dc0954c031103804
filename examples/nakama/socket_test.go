//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/heroiclabs/nakama-common/api"
	"github.com/heroiclabs/nakama-common/rtapi"
	"google.golang.org/protobuf/proto"
)

// socket is a player's WebSocket, as Nakama's own client libraries have one.
type socket struct {
	inbox
	conn *websocket.Conn
	done chan struct{} // closed when the server has closed it

	number  int
	replies map[string]*rtapi.Envelope // by number; under the inbox's lock
}

func (c *client) openSocket(t *testing.T) *socket {
	t.Helper()
	url := strings.Replace(c.server.api, "http:", "ws:", 1) + "/ws?format=protobuf&token=" + c.token
	conn, reply, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close() //nolint:errcheck // empty
	s := &socket{conn: conn, done: make(chan struct{}), replies: make(map[string]*rtapi.Envelope)}
	go s.read()
	t.Cleanup(func() {
		conn.Close() //nolint:errcheck // the server may have done so
		<-s.done
	})
	return s
}

func (s *socket) read() {
	defer close(s.done)
	for {
		_, b, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		e := new(rtapi.Envelope)
		if proto.Unmarshal(b, e) == nil {
			s.take(e)
		}
	}
}

func (s *socket) take(e *rtapi.Envelope) {
	if d := e.GetMatchData(); d != nil {
		s.put(message{op: d.OpCode, data: d.Data, from: d.Presence.GetUserId()})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies[e.Cid] = e
}

// ask sends a request and waits for its reply.
func (s *socket) ask(t *testing.T, e *rtapi.Envelope) *rtapi.Envelope {
	t.Helper()
	s.number++
	e.Cid = fmt.Sprint(s.number)
	s.send(t, e)
	var reply *rtapi.Envelope
	await(t, "a reply by the socket", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		reply = s.replies[e.Cid]
		return reply != nil
	})
	return reply
}

func (s *socket) send(t *testing.T, e *rtapi.Envelope) {
	t.Helper()
	b, err := proto.Marshal(e)
	if err == nil {
		err = s.conn.WriteMessage(websocket.BinaryMessage, b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rpc calls an RPC by the socket, so that the server knows which of the player's sockets it is.
func (s *socket) rpc(t *testing.T, id, payload string) string {
	t.Helper()
	reply := s.ask(t, &rtapi.Envelope{Message: &rtapi.Envelope_Rpc{Rpc: &api.Rpc{Id: id, Payload: payload}}})
	if reply.GetRpc() == nil {
		t.Fatalf("%s: %v", id, reply)
	}
	return reply.GetRpc().Payload
}

// join joins a match.
func (s *socket) join(t *testing.T, match string) {
	t.Helper()
	reply := s.ask(t, &rtapi.Envelope{Message: &rtapi.Envelope_MatchJoin{
		MatchJoin: &rtapi.MatchJoin{Id: &rtapi.MatchJoin_MatchId{MatchId: match}},
	}})
	if reply.GetMatch() == nil {
		t.Fatalf("join: %v", reply)
	}
}

func (s *socket) leave(t *testing.T, match string) {
	t.Helper()
	s.send(t, &rtapi.Envelope{Message: &rtapi.Envelope_MatchLeave{MatchLeave: &rtapi.MatchLeave{MatchId: match}}})
}

// say sends data to the match.
func (s *socket) say(t *testing.T, match string, op int64, data string) {
	t.Helper()
	s.send(t, &rtapi.Envelope{Message: &rtapi.Envelope_MatchDataSend{
		MatchDataSend: &rtapi.MatchDataSend{MatchId: match, OpCode: op, Data: []byte(data), Reliable: true},
	}})
}
