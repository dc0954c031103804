package enginetest_test

import (
	"testing"

	"github.com/sallyport/sallyport/internal/handshake/internal/enginetest"
	"github.com/sallyport/sallyport/internal/handshake/pion2"
	"github.com/sallyport/sallyport/internal/handshake/pion3"
)

// "The whole test suite runs with both, and the two talk to each other in tests."
func TestCrosswise(t *testing.T) {
	t.Run("v2 server, v3 client", func(t *testing.T) { enginetest.Suite(t, pion2.Engine{}, pion3.Engine{}) })
	t.Run("v3 server, v2 client", func(t *testing.T) { enginetest.Suite(t, pion3.Engine{}, pion2.Engine{}) })
}
