package transport

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
)

// "Of those that a feed brings for a whole fleet, and that end nobody here, 1,024 at once and ten a
// second have a line; one line a second says how many had none." What is applied before Serve begins is
// in force, what is repeated has no line, and who is put out has one.
func TestFeedLines(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s := w.listen()
		const n = 3000
		feed := func() {
			for i := range n {
				r := session.Revocation{Kind: session.RevokeSubject, Issuer: testkit.IssuerName, Value: fmt.Sprint("somebody ", i), Time: time.Now(), Everywhere: true}
				if ended, err := s.Revoke(r); ended != 0 || err != nil {
					t.Fatal(ended, err)
				}
				b := session.Ban{Issuer: testkit.IssuerName, Subject: fmt.Sprint("banned ", i), Everywhere: true}
				if i == 7 {
					b.Subject = "player 7"
				}
				if ended, err := s.Ban(b); ended != 0 || err != nil {
					t.Fatal(ended, err)
				}
			}
		}
		feed()
		feed() // in the same instant
		if said := w.audited("withdraw") + w.audited("ban"); said != feedBurst {
			t.Errorf("%d lines, want %d", said, feedBurst)
		}
		w.serving.Go(func() { w.served = s.Serve(w.match.handler()) })
		time.Sleep(2 * time.Second)
		all := w.audit.all()
		last := all[len(all)-1]
		if want := fmt.Sprint(2*n - feedBurst); last.Decision != audit.Withdraw || !strings.Contains(last.Detail, want) {
			t.Errorf("%q, want %s left out", last.Detail, want)
		}
		if _, err := w.try(7); err == nil {
			t.Error("a player is here whom the feed has banned before Serve has begun")
		}
		c := w.dial(1)
		synctest.Wait()
		before := len(w.audit.all())
		if n, err := s.Ban(session.Ban{Issuer: testkit.IssuerName, Subject: "player 1", Everywhere: true}); n != 1 || err != nil {
			t.Error(n, err)
		}
		w.closed(w.ending(c), session.ReasonRevoked)
		synctest.Wait()
		if said := w.audit.all()[before:]; len(said) != 2 || said[0].Decision != audit.Ban || said[1].Decision != audit.Revoke {
			t.Errorf("%+v", said)
		}
	})
}
