package fleetkey_test

import (
	"fmt"
	"log"

	"github.com/sallyport/sallyport/fleetkey"
)

// A server begins with the keys of its file and goes over to the next one.
func Example() {
	file := []byte("# of November\n0000000a:404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f\n")
	keys, err := fleetkey.Parse(file)
	if err != nil {
		log.Fatal(err)
	}
	ring, err := fleetkey.NewRing(keys...)
	if err != nil {
		log.Fatal(err)
	}

	next, err := fleetkey.Generate() // once for the fleet; Text gives the line for every server's file
	if err != nil {
		log.Fatal(err)
	}
	if err := ring.Set(keys[0], next); err != nil { // on every server
		log.Fatal(err)
	}
	first, _ := ring.First()
	fmt.Printf("%08x seals\n", first.ID())

	if err := ring.Rotate(next); err != nil { // when every server has it
		log.Fatal(err)
	}
	first, _ = ring.First()
	_, opens := ring.Find(10)
	fmt.Println("the next one seals:", first.ID() == next.ID(), "and the old one still opens:", opens)
	// Output:
	// 0000000a seals
	// the next one seals: true and the old one still opens: true
}
