// Package browsertest watches a match as an operator does: the example server and the example client's players run as
// programs, and Chromium, driven by chromedp, has the status page open. It is a module of its own, so that nobody who
// uses the library downloads a driver for browsers.
//
// The tests take the Chromium that is installed. Where there is none they install Debian's, if they may (as root, with
// apt-get) and CI is set; without CI they are skipped.
package browsertest
