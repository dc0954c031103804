package nakama

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/heroiclabs/nakama-common/rtapi"
	"google.golang.org/protobuf/proto"
)

// peer has the faults of a Nakama that a real one shows on no request: it is away, slow, full, or out of
// sorts, when a test says so. What a real one does in a match is tested in examples/nakama.
type peer struct {
	*httptest.Server

	away      atomic.Bool  // /healthcheck fails, and so does everything else
	noSockets atomic.Bool  // the upgrade fails
	deaf      atomic.Bool  // WebSockets are not read
	reject    atomic.Int32 // so many joins are refused
	crowded   atomic.Int32 // and so many by Nakama, since more wait than the match takes
	life      atomic.Int64 // of session tokens, seconds
	noRefresh atomic.Bool  // refresh tokens are refused
	banned    atomic.Bool  // sign-ins are refused
	slow      atomic.Int64 // nanoseconds that an upgrade takes
	absent    atomic.Bool  // there is no match

	signIns, refreshes, dials, joins, opening, mostOpening atomic.Int32

	mu      sync.Mutex
	sockets map[string]*websocket.Conn // by session id
	heard   []string                   // inputs
	tokens  []string                   // of the upgrades
	from    []string                   // X-Forwarded-For
	number  int
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{sockets: make(map[string]*websocket.Conn)}
	p.life.Store(600)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthcheck", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) })
	mux.HandleFunc("POST /v2/account/authenticate/custom", p.authenticate)
	mux.HandleFunc("POST /v2/account/session/refresh", p.refresh)
	mux.HandleFunc("GET /v2/match", p.list)
	mux.HandleFunc("GET /ws", p.serve)
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	p.Start()
	t.Cleanup(func() {
		p.cut()
		p.Close()
	})
	return p
}

// token is a session token of this peer's, whose signature nobody looks at.
func (p *peer) token(kind string, life time.Duration) string {
	p.mu.Lock()
	p.number++
	n := p.number
	p.mu.Unlock()
	claims := fmt.Sprintf(`{"kind":%q,"n":%d,"exp":%d}`, kind, n, time.Now().Add(life).Unix())
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".x"
}

func (p *peer) session(w http.ResponseWriter) {
	json.NewEncoder(w).Encode(map[string]string{ //nolint:errcheck // a test's answer
		"token": p.token("session", time.Duration(p.life.Load())*time.Second), "refresh_token": p.token("refresh", time.Hour),
	})
}

func (p *peer) authenticate(w http.ResponseWriter, r *http.Request) {
	if name, _, _ := r.BasicAuth(); name != "key" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if p.banned.Load() {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	p.signIns.Add(1)
	p.session(w)
}

func (p *peer) refresh(w http.ResponseWriter, _ *http.Request) {
	if p.noRefresh.Load() || p.banned.Load() {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	p.refreshes.Add(1)
	p.session(w)
}

func (p *peer) list(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Query().Get("query"), "+_id:")
	p.mu.Lock()
	n := len(p.sockets)
	p.mu.Unlock()
	if p.absent.Load() {
		w.Write([]byte("{}"))
		return
	}
	fmt.Fprintf(w, `{"matches":[{"match_id":%q,"size":%d}]}`, id, n)
}

func (p *peer) serve(w http.ResponseWriter, r *http.Request) {
	p.dials.Add(1)
	n := p.opening.Add(1)
	for most := p.mostOpening.Load(); n > most && !p.mostOpening.CompareAndSwap(most, n); most = p.mostOpening.Load() {
	}
	opened := sync.OnceFunc(func() { p.opening.Add(-1) })
	defer opened()
	if p.noSockets.Load() {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	time.Sleep(time.Duration(p.slow.Load()))
	up := websocket.Upgrader{}
	opened() // before the other end can hear of it
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close() //nolint:errcheck // the test is over with it
	if tcp, ok := conn.NetConn().(*net.TCPConn); ok {
		tcp.SetReadBuffer(8 << 10) //nolint:errcheck // then it takes longer to be slow
	}
	p.mu.Lock()
	p.number++
	id := fmt.Sprint("socket-", p.number)
	p.tokens, p.from = append(p.tokens, r.URL.Query().Get("token")), append(p.from, r.Header.Get("X-Forwarded-For"))
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.sockets, id)
	}()
	for {
		for p.deaf.Load() {
			time.Sleep(time.Millisecond)
		}
		_, b, err := conn.ReadMessage()
		if err != nil {
			return
		}
		e := new(rtapi.Envelope)
		if proto.Unmarshal(b, e) != nil {
			return
		}
		switch m := e.Message.(type) {
		case *rtapi.Envelope_MatchJoin:
			p.join(conn, id, e.Cid, m.MatchJoin)
		case *rtapi.Envelope_MatchDataSend:
			p.mu.Lock()
			p.heard = append(p.heard, fmt.Sprint(m.MatchDataSend.OpCode, " ", m.MatchDataSend.Reliable, " ", string(m.MatchDataSend.Data)))
			p.mu.Unlock()
		case *rtapi.Envelope_MatchLeave:
			p.mu.Lock()
			p.heard = append(p.heard, "leave")
			p.mu.Unlock()
		}
	}
}

func (p *peer) join(conn *websocket.Conn, id, cid string, m *rtapi.MatchJoin) {
	p.joins.Add(1)
	if p.absent.Load() {
		write(conn, &rtapi.Envelope{Cid: cid, Message: &rtapi.Envelope_Error{Error: &rtapi.Error{Code: int32(rtapi.Error_MATCH_NOT_FOUND)}}})
		return
	}
	if p.crowded.Add(-1) >= 0 {
		write(conn, &rtapi.Envelope{Cid: cid, Message: &rtapi.Envelope_Error{Error: &rtapi.Error{
			Code: int32(rtapi.Error_MATCH_JOIN_REJECTED), Message: joinCrowded,
		}}})
		return
	}
	if p.reject.Add(-1) >= 0 {
		write(conn, &rtapi.Envelope{Cid: cid, Message: &rtapi.Envelope_Error{Error: &rtapi.Error{
			Code: int32(rtapi.Error_MATCH_JOIN_REJECTED), Message: "no seat",
		}}})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sockets[id] = conn
	write(conn, &rtapi.Envelope{Cid: cid, Message: &rtapi.Envelope_Match{Match: &rtapi.Match{
		MatchId: m.GetMatchId(), Self: &rtapi.UserPresence{SessionId: id},
	}}})
}

func write(conn *websocket.Conn, e *rtapi.Envelope) {
	b, err := proto.Marshal(e)
	if err == nil {
		conn.WriteMessage(websocket.BinaryMessage, b) //nolint:errcheck // it may be gone
	}
}

// say sends match data to everybody.
func (p *peer) say(op int64, data []byte, reliable bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.sockets {
		write(conn, &rtapi.Envelope{Message: &rtapi.Envelope_MatchData{MatchData: &rtapi.MatchData{OpCode: op, Data: data, Reliable: reliable}}})
	}
}

// left tells everybody but one of a leave of that one.
func (p *peer) left(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, conn := range p.sockets {
		if other != id {
			write(conn, &rtapi.Envelope{Message: &rtapi.Envelope_MatchPresenceEvent{MatchPresenceEvent: &rtapi.MatchPresenceEvent{
				Leaves: []*rtapi.UserPresence{{SessionId: id}},
			}}})
		}
	}
}

// cut breaks every WebSocket.
func (p *peer) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.sockets {
		conn.Close() //nolint:errcheck // cut
	}
}

// cutOne breaks one.
func (p *peer) cutOne(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if conn := p.sockets[id]; conn != nil {
		conn.Close() //nolint:errcheck // cut
	}
}

// ids are those of the WebSockets that are in the match.
func (p *peer) ids() (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.sockets {
		ids = append(ids, id)
	}
	return ids
}

func (p *peer) has(input string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.heard, input)
}
