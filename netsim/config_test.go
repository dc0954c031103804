package netsim

import (
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// "Nothing may be negative": each field has bounds, and the error matches ErrConfig and names it.
func TestBrokenSettings(t *testing.T) {
	n := New(1)
	defer n.Close()
	c := listen(t, n, netip.MustParseAddrPort("192.0.2.1:1"))
	real := loopback(t)
	uses := map[string]func(Impairment) error{
		"WithDefaults":  func(im Impairment) error { _, err := im.WithDefaults(); return err },
		"Network":       n.SetImpairment,
		"SetImpairment": c.SetImpairment,
		"SetIncoming":   c.SetIncoming,
		"Impair":        func(im Impairment) error { _, err := Impair(real, im, 1); return err },
	}
	shares := map[any]bool{
		-0.1: false, 0.0: true, 0.5: true, 1.0: true, 1.1: false, math.NaN(): false, math.Inf(1): false, math.SmallestNonzeroFloat64: true,
	}
	delays := map[any]bool{
		-time.Nanosecond: false, time.Duration(0): true, MaxDelay: true, MaxDelay + 1: false, time.Duration(math.MinInt64): false, time.Duration(math.MaxInt64): false,
	}
	bits := map[any]bool{
		int64(-1): false, int64(0): true, int64(1): true, int64(MaxBandwidth): true, int64(MaxBandwidth + 1): false, int64(math.MinInt64): false,
	}
	typ := reflect.TypeFor[Impairment]()
	for i := range typ.NumField() {
		values, name := shares, typ.Field(i).Name
		switch typ.Field(i).Type {
		case reflect.TypeFor[time.Duration]():
			values = delays
		case reflect.TypeFor[int64]():
			values = bits
		}
		for value, good := range values {
			var im Impairment
			reflect.ValueOf(&im).Elem().Field(i).Set(reflect.ValueOf(value))
			for what, use := range uses {
				err := use(im)
				if good && err != nil {
					t.Errorf("%s, %s %v: %v", what, name, value, err)
				}
				if !good && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), ": "+name+" ")) {
					t.Errorf("%s, %s %v: %v, want an ErrConfig that names it", what, name, value, err)
				}
			}
		}
	}
	if _, err := real.WriteTo(nil, real.LocalAddr()); err != nil {
		t.Errorf("Impair has taken a socket that remains the caller's: %v", err)
	}
	if c.SetImpairment(Impairment{Loss: 1}); c.SetImpairment(Impairment{Loss: 2}) == nil || c.impair.Loss != 1 {
		t.Error("a broken setting has an effect")
	}
}

// "zero means DefaultQueue" and "Without Bandwidth, Queue has no effect."
func TestDefaults(t *testing.T) {
	for _, c := range []struct{ given, want Impairment }{
		{Impairment{}, Impairment{}},
		{Impairment{Queue: time.Second}, Impairment{}},
		{Impairment{Bandwidth: 1}, Impairment{Bandwidth: 1, Queue: DefaultQueue}},
		{Impairment{Bandwidth: 1, Queue: 1}, Impairment{Bandwidth: 1, Queue: 1}},
	} {
		if got, err := c.given.WithDefaults(); got != c.want || err != nil {
			t.Errorf("%+v: %+v, %v", c.given, got, err)
		}
	}
}
