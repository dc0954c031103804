package pion2_test

import (
	"testing"

	"github.com/sallyport/sallyport/handshake/internal/enginetest"
	"github.com/sallyport/sallyport/handshake/pion2"
)

func TestSuite(t *testing.T) { enginetest.Suite(t, pion2.Engine{}, pion2.Engine{}) }
