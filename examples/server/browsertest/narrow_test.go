package browsertest

import (
	"encoding/json"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// clipped lists what sticks out of the window sideways, but for text that ends in an ellipsis.
const clipped = `JSON.stringify([...document.querySelectorAll('body *')].filter(e => {
	const r = e.getBoundingClientRect(), shortened = e.parentElement && getComputedStyle(e.parentElement).textOverflow === 'ellipsis';
	return r.width > 0 && r.right > innerWidth + 0.5 && !shortened;
}).map(e => e.tagName + '.' + e.className))`

// faint lists texts whose contrast with what is behind them is below 4.5 : 1 (WCAG 2.2, 1.4.3).
const faint = `JSON.stringify((() => {
	const g = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
	const rgb = colour => { g.clearRect(0, 0, 1, 1); g.fillStyle = colour; g.fillRect(0, 0, 1, 1); return [...g.getImageData(0, 0, 1, 1).data]; };
	const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
		.reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } };
	const found = [];
	let n = 0;
	for (const e of document.querySelectorAll('body *')) {
		if (e.tagName === 'SCRIPT' || ![...e.childNodes].some(c => c.nodeType === 3 && c.data.trim()) || !e.checkVisibility()) continue;
		const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
		n++;
		if (ratio < 4.5) found.push(e.tagName + '.' + e.className + ' ' + ratio.toFixed(2));
	}
	return n > 50 ? found : ['only ' + n + ' texts'];
})())`

// The page is usable at 400 px, in both colour schemes: no horizontal scroll, nothing that sticks out,
// buttons that a finger hits, and texts that stand out from their ground.
func TestNarrow(t *testing.T) {
	b := open(t)
	m := start(t)
	m.players(t, "12")
	m.dial(t, "alice-with-a-rather-long-name@an-even-longer-host.example.com", "a platform with a rather long name")
	m.litter(t, 50)
	b.do(t, chromedp.EmulateViewport(400, 800), chromedp.Navigate(m.url+"/"))
	b.await(t, rowCount+" === 13 && "+decisionCount+" >= 13")
	for _, scheme := range []string{"light", "dark"} {
		command(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		for _, width := range []int64{400, 1280} {
			b.do(t, chromedp.EmulateViewport(width, 800))
			if !value[bool](t, b, `document.documentElement.scrollWidth <= innerWidth`) {
				t.Errorf("%s, %d px: the page scrolls sideways", scheme, width)
			}
			for what, expression := range map[string]string{"sticks out": clipped, "is faint": faint} {
				var found []string
				if err := json.Unmarshal([]byte(value[string](t, b, expression)), &found); err != nil {
					t.Fatal(err)
				}
				for _, f := range found {
					t.Errorf("%s, %d px: %s %s", scheme, width, f, what)
				}
			}
		}
		b.do(t, chromedp.EmulateViewport(400, 800))
		if !value[bool](t, b, `[...document.querySelectorAll('#rows button')].every(e => e.getBoundingClientRect().height >= 24)`) {
			t.Errorf("%s: a button is lower than 24 px", scheme) // WCAG 2.2, 2.5.8
		}
		b.do(t, chromedp.Click("#rows button"), chromedp.WaitVisible("#ask"))
		if got := value[string](t, b, clipped); got != "[]" {
			t.Errorf("%s, the dialog: %s", scheme, got)
		}
		b.do(t, chromedp.Click("#cancel"), chromedp.WaitNotVisible("#ask"))
	}
	b.clean(t, m.url)
}
