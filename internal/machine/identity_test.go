package machine

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/identity"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// somebody has a rank, a guild, and a motto for which no ticket has room.
func somebody(c *token.Claims) {
	c.Username, c.Groups = "alice", []string{"vip"}
	c.Custom = map[string]any{"motto": strings.Repeat("m", 200), "rank": "gold"}
	c.Kept = []string{"motto", "rank", "guild"}
}

// playAs is playWithTicket for a player of whom the identity token says more.
func playAs(t *testing.T, gc session.Config, says func(*token.Claims)) *dialogue {
	t.Helper()
	gc.FleetKeys = fleet(t)
	d := connectOnly(t, gc, session.ClientConfig{}).connect(session.ClientConfig{}, "identity", channel)
	addIDs(d.claims["identity"])
	says(d.claims["identity"])
	d.getsConnectionID()
	d.join()
	d.exchangesData()
	return d
}

// takesRenewed begins the next epoch with the parts of a RENEW.
func (d *dialogue) takesRenewed(parts [][]byte) {
	d.Helper()
	d.toClient(d.present(parts...).envelope).renews()
	d.exchangesData()
}

// says compares what is known of a claim: "-" stands for absent, "?" for unknown.
func says(t *testing.T, what string, id session.Identity, user, group, motto, rank, guild string) {
	t.Helper()
	short := func(c session.Claim) string { s := c.Text("-", "?"); return s[:min(len(s), 4)] }
	in := map[bool]string{false: "-", true: "vip"}[id.InGroup("vip", false)]
	if id.InGroup("vip", true) && !id.InGroup("vip", false) {
		in = "?"
	}
	got := [...]string{short(id.UserName()), in, short(id.Claim("motto")), short(id.Claim("rank")), short(id.Claim("guild"))}
	if want := [...]string{user, group, motto, rank, guild}; got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// "What has no item is *unknown*: a server MUST NOT treat it as absent" docs/fleet.md 8.1. On the
// server where the session lives all of it is known, whatever happens to connections. Elsewhere the
// rest is unknown until the next token comes.
func TestIdentity(t *testing.T) {
	var asked []session.Admission
	gc := session.Config{Authorize: func(a *session.Admission) error { asked = append(asked, *a); return nil }}
	d := playAs(t, gc, somebody)
	says(t, "at first", d.server.Session().Identity(), "alic", "vip", "mmmm", "gold", "-")
	d = d.resumesHere()
	says(t, "here", d.server.Session().Identity(), "alic", "vip", "mmmm", "gold", "-")
	d = d.resumesOn(d.anotherServer(gc))
	says(t, "elsewhere", d.server.Session().Identity(), "alic", "vip", "?", "gold", "-")
	d = d.resumesHere()
	says(t, "elsewhere, again", d.server.Session().Identity(), "alic", "vip", "?", "gold", "-")
	d.waits(tokenLife / 2)
	fresh := d.mints("fresh")
	somebody(fresh)
	d.takesRenewed(d.renew("fresh"))
	says(t, "renewed", d.server.Session().Identity(), "alic", "vip", "mmmm", "gold", "-")
	d.waits(tokenLife / 2)
	fewer := d.mints("fewer")
	fewer.Kept = fresh.Kept
	d.takesRenewed(d.renew("fewer"))
	says(t, "with fewer claims", d.server.Session().Identity(), "-", "-", "-", "-", "-")

	wants := [...]struct {
		why                            session.Purpose
		user, group, motto, rank, gild string
	}{
		{session.Opening, "alic", "vip", "mmmm", "gold", "-"},
		{session.Resuming, "alic", "vip", "mmmm", "gold", "-"},
		{session.ResumingElsewhere, "alic", "vip", "?", "gold", "-"},
		{session.Resuming, "alic", "vip", "?", "gold", "-"},
		{session.Renewing, "alic", "vip", "mmmm", "gold", "-"},
		{session.Renewing, "-", "-", "-", "-", "-"},
	}
	if len(asked) != len(wants) {
		t.Fatalf("asked %d times", len(asked))
	}
	for i, want := range wants {
		if asked[i].Why != want.why {
			t.Errorf("asked for %v, want %v", asked[i].Why, want.why)
		}
		says(t, want.why.String(), asked[i].Identity, want.user, want.group, want.motto, want.rank, want.gild)
	}
}

// A claim that the server which made the ticket did not keep is unknown to one that keeps it.
func TestIdentityOfAnotherList(t *testing.T) {
	d := playAs(t, session.Config{}, func(c *token.Claims) {
		somebody(c)
		c.Custom, c.Kept = map[string]any{"rank": "gold"}, []string{"rank"}
	})
	d = d.resumesOn(d.anotherServer(session.Config{}))
	says(t, "elsewhere", d.server.Session().Identity(), "alic", "vip", "?", "gold", "?")
}

// A restart hands on what a ticket does, of the epoch that is current and of the one that is next.
func TestIdentityRestarts(t *testing.T) {
	d := playAs(t, session.Config{}, somebody)
	next := d.restarts()
	says(t, "restarted", next.server.Session().Identity(), "alic", "vip", "?", "gold", "-")

	fresh := d.mints("fresh")
	somebody(fresh)
	fresh.Custom["rank"] = "iron"
	renewed := d.present(d.renew("fresh")...)
	next = d.restarts()
	says(t, "in the middle of a renewal", next.server.Session().Identity(), "alic", "vip", "?", "gold", "-")
	next.toClient(renewed.envelope)
	next.exchangesData()
	says(t, "in the next epoch", next.server.Session().Identity(), "alic", "vip", "?", "iron", "-")
}

// Where RENEWED is lost with its connection, the session has all of the token that it brought, also
// of one that expires no later than the one before.
func TestIdentityOfLostRenewal(t *testing.T) {
	for _, later := range []time.Duration{time.Minute, 0, -time.Minute} {
		d := playAs(t, session.Config{}, somebody)
		d.waits(time.Minute)
		fresh := d.mints("fresh")
		somebody(fresh)
		fresh.Custom["rank"] = "iron"
		fresh.Expires = d.claims["identity"].Expires.Add(later)
		d.toClient(d.present(d.renew("fresh")...).envelope) // no datagram of the next epoch arrives
		for _, how := range []string{"resumed", "resumed again"} {
			d = d.resumesHere()
			s := d.server.Session()
			says(t, how, s.Identity(), "alic", "vip", "mmmm", "iron", "-")
			if s.TokenID() != fresh.ID || !s.Expires().Equal(fresh.Expires) {
				t.Errorf("%s, %v later: token %q until %v", how, later, s.TokenID(), s.Expires())
			}
		}
	}
}

// "at most 160 bytes of items, and fewer where the names leave less room in 512 bytes"
// docs/fleet.md 8.1. Bounds at -1, 0 and +1.
func TestIdentityFits(t *testing.T) {
	for _, n := range []int{resume.MaxIdentity - 1, resume.MaxIdentity, resume.MaxIdentity + 1} {
		d := playAs(t, session.Config{}, func(c *token.Claims) {
			c.Kept = []string{"rank"}
			c.Custom = map[string]any{"rank": strings.Repeat("r", n-len("\x01\x00\x02\x00\x03\x04rank\x01\x00\x00"))}
		})
		if got := len(identity.Bytes(d.server.Session().Identity())); got != n {
			t.Fatalf("%d bytes, want %d", got, n)
		}
		want := session.ClaimPresent
		if n > resume.MaxIdentity {
			want = session.ClaimUnknown
		}
		for how, next := range map[string]*dialogue{"resumed": d.resumesOn(d.anotherServer(session.Config{})), "restarted": d.restarts()} {
			id := next.server.Session().Identity()
			if id.Claim("rank").State() != want || id.UserName().State() != session.ClaimAbsent {
				t.Errorf("%d bytes, %s: %v, want %v", n, how, id.Claim("rank").State(), want)
			}
		}
	}
	d := playAs(t, session.Config{}, func(c *token.Claims) {
		somebody(c)
		c.Scope = strings.Repeat("s", 280)
	})
	d = d.resumesOn(d.anotherServer(session.Config{}))
	says(t, "long names", d.server.Session().Identity(), "alic", "vip", "?", "?", "-")
}

// Players of whom their tokens say nothing share one identity, and those of whom nothing is known
// have none.
func TestIdentityOfNobody(t *testing.T) {
	g, first, second := new(Gate), new(Session), new(Session)
	for _, s := range []*Session{first, second} {
		c := &token.Claims{Issuer: "issuer", Subject: "player", ID: "id", Kept: []string{"rank"}}
		s.init(g, c, identityOf(c), phone)
	}
	if n := first.names.Load().identity; n == nil || n != second.names.Load().identity {
		t.Errorf("identities %p and %p", n, second.names.Load().identity)
	}
	second.init(g, &token.Claims{}, session.Identity{}, phone)
	if n := second.names.Load().identity; n != nil || second.Identity() != (session.Identity{}) {
		t.Errorf("nothing is known, and held at %p", n)
	}
}
