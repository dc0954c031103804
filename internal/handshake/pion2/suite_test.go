package pion2_test

import (
	"testing"

	"github.com/sallyport/sallyport/internal/handshake/internal/enginetest"
	"github.com/sallyport/sallyport/internal/handshake/pion2"
)

func TestSuite(t *testing.T) { enginetest.Suite(t, pion2.Engine{}, pion2.Engine{}) }
