package transport

import (
	"testing"

	"github.com/sallyport/sallyport/internal/wire"
)

// Users read these numbers; they are those of the wire.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for name, is := range map[string]bool{
		"MaxPayload":   MaxPayload == wire.MaxBody,
		"NoticeStepUp": NoticeStepUp == wire.NoticeStepUp,
		"NoticeDrain":  NoticeDrain == wire.NoticeDrain,
		"NoticeMoved":  NoticeMoved == wire.NoticeMoved,
	} {
		if !is {
			t.Errorf("%s is another on the wire", name)
		}
	}
}
