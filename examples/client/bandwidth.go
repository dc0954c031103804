package main

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/netsim"
)

// bandwidth is a flag's value in bits a second: "2M", "512K", "1.5G", or a number without a suffix.
type bandwidth int64

var errBandwidth = errors.New("must be bits a second, such as 512K, 2M or 1G; 0 means no limit")

// suffixes are powers of ten, as network providers use them.
var suffixes = map[string]float64{"K": 1e3, "M": 1e6, "G": 1e9}

// Set reads the flag.
func (b *bandwidth) Set(s string) error {
	unit := 1.0
	for suffix, factor := range suffixes {
		if rest, ok := strings.CutSuffix(strings.ToUpper(s), suffix); ok {
			s, unit = rest, factor
			break
		}
	}
	if strings.Trim(s, "0123456789.") != "" { // ParseFloat takes exponents, signs and names
		return errBandwidth
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v*unit > netsim.MaxBandwidth || v > 0 && v*unit < 1 {
		return errBandwidth
	}
	*b = bandwidth(math.Round(v * unit))
	return nil
}

// String returns the value without a suffix.
func (b *bandwidth) String() string { return strconv.FormatInt(int64(*b), 10) }
