// Package browsertest tests the page of package httpdebug in Chromium, as a
// person and their assistive technology use it. It has no code but tests:
//
//	go test . [-screenshots DIR]
//
// They need Chromium, and axe-core from npm: npm ci.
package browsertest
