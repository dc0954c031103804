package browsertest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Expressions of the page.
const (
	rowCount      = `document.querySelectorAll('#rows tr').length`
	decisionCount = `document.querySelectorAll('#stream li').length`
	// inked counts the pixels that are drawn in the colours of players: those of grid and text have none.
	inked = `(() => {
		const c = document.querySelector('#picture'), g = new OffscreenCanvas(c.width, c.height).getContext('2d', { willReadFrequently: true });
		g.drawImage(c, 0, 0);
		const d = g.getImageData(0, 0, c.width, c.height).data, light = i => [d[i], d[i + 1], d[i + 2]];
		let n = 0;
		for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200 && Math.max(...light(i)) - Math.min(...light(i)) > 90) n++;
		return n;
	})()`
	places = `state.panel.bodies.map(b => b.x + ',' + b.y).join(' ')`
)

// revokeButton is the button in the row of a player.
func revokeButton(subject string) string {
	return fmt.Sprintf(`button[aria-label="Revoke %s"]`, subject)
}

// "the status page [shows] the arena, a row per player, drops by reason over time and the stream of decisions, with a
// button to revoke"
func TestWatch(t *testing.T) {
	b := open(t)
	m := start(t)
	b.do(t, chromedp.Navigate(m.url+"/"))
	b.await(t, `document.querySelector('#link').textContent === 'live'`)
	if n := value[int](t, b, inked); n != 0 {
		t.Errorf("%d coloured pixels in an empty arena", n)
	}
	t.Run("players", func(t *testing.T) { watchPlayers(t, b, m) })
	t.Run("drops", func(t *testing.T) { watchDrops(t, b, m) })
	t.Run("revoke", func(t *testing.T) { watchRevocation(t, b, m) })
	b.clean(t, m.url)
}

func watchPlayers(t *testing.T, b *browser, m *match) {
	m.players(t, "4")
	b.await(t, rowCount+" === 4")
	b.await(t, inked+" > 100")
	before := value[string](t, b, places)
	b.await(t, fmt.Sprintf("%s !== %q", places, before))
	b.await(t, decisionCount+" >= 4")
	b.await(t, `[...document.querySelectorAll('#rows tr')].every(r => parseInt(r.children[5].textContent) > 20)`) // datagrams/s
	if got := value[string](t, b, `document.querySelector('#stream li').textContent`); got == "" {
		t.Error("an empty decision")
	}
}

func watchDrops(t *testing.T, b *browser, m *match) {
	m.litter(t, 50)
	b.await(t, `Number(document.querySelector('#dropped').textContent) >= 50`)
	b.await(t, `/source \d+/.test(document.querySelector('#legend').textContent)`)
}

// By keyboard: the button has the focus, Enter asks, Escape thinks better of it, and at last "End session" is chosen.
func watchRevocation(t *testing.T, b *browser, m *match) {
	_, ended := m.dial(t, "mallory", "go")
	button := revokeButton("mallory")
	b.do(t, chromedp.WaitVisible(button), chromedp.Focus(button), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#ask"),
		chromedp.KeyEvent(kb.Escape), chromedp.WaitNotVisible("#ask"))
	if value[int](t, b, rowCount) != 5 {
		t.Error("revoked without confirmation")
	}
	b.do(t, chromedp.Focus(button), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#one"), chromedp.Click("#one"),
		chromedp.WaitNotVisible("#ask"))
	select {
	case err := <-ended:
		var refused *transport.CloseError
		if !errors.As(err, &refused) || refused.Reason != session.ReasonRevoked {
			t.Errorf("ended by %v, want that it was revoked", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still plays")
	}
	b.await(t, rowCount+" === 4")
	b.await(t, `[...document.querySelectorAll('#stream li')].some(li => li.children[1].textContent === 'revoke')`)
}

// "Hostile player names and platform strings must not execute."
func TestHostilePlayer(t *testing.T) {
	b := open(t)
	m := start(t)
	const hostile = `<img src=x onerror="window.owned=1">`
	b.do(t, chromedp.Navigate(m.url+"/"))
	m.dial(t, hostile, hostile+"<script>window.owned=2</script>")
	b.await(t, rowCount+" === 1 && "+decisionCount+" >= 1")
	b.do(t, chromedp.Click("#rows button"), chromedp.WaitVisible("#ask"))
	for _, where := range []string{"#rows td", "#rows td:nth-child(3)", "#stream li span:last-child", "#who"} {
		if got := value[string](t, b, fmt.Sprintf("document.querySelector(%q).textContent", where)); !strings.Contains(got, "<img src=x") {
			t.Errorf("%s shows %q, want the text as it is", where, got)
		}
	}
	if value[bool](t, b, `'owned' in window || document.images.length > 0 || document.scripts.length !== 2`) {
		t.Error("text became HTML")
	}
	// Even a mistake in the page would not: Trusted Types refuse text where HTML is expected.
	if !value[bool](t, b, `(() => { try { document.querySelector('#who').innerHTML = '<b>x</b>' } catch { return true } return false })()`) {
		t.Error("innerHTML takes text")
	}
}

// "readable at 1280x800", in both colour schemes: nothing sticks out of the window, and every heading is in it.
func TestLayout(t *testing.T) {
	b := open(t)
	m := start(t)
	m.players(t, "30")
	for _, scheme := range []string{"light", "dark"} {
		command(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		b.do(t, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(m.url+"/"))
		b.await(t, rowCount+" === 30")
		const fits = `document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight &&
			[...document.querySelectorAll('h2')].every(h => h.getBoundingClientRect().bottom < innerHeight)`
		if !value[bool](t, b, fits) {
			t.Errorf("%s: the page does not fit", scheme)
		}
		dark := value[bool](t, b, `getComputedStyle(document.body).backgroundColor.match(/\d+/g).every(n => n < 64)`)
		if dark != (scheme == "dark") {
			t.Errorf("%s: dark is %v", scheme, dark)
		}
	}
	b.clean(t, m.url)
}

// "-revoke-after D revokes each session after that time"
func TestRevokeAfter(t *testing.T) {
	m := start(t, "-revoke-after", "1s")
	_, ended := m.dial(t, "alice", "go")
	eventually(t, func() error {
		if len(m.state(t).Players) != 1 {
			return errors.New("alice is not shown")
		}
		return nil
	})
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("still plays")
	}
}
