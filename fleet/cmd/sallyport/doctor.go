package main

import (
	"context"

	"github.com/sallyport/sallyport/fleet/internal/doctor"
)

// diagnose is "doctor".
func diagnose(ctx context.Context, c console, args []string) int {
	return doctor.Run(ctx, args, c.stdout, c.stderr)
}
