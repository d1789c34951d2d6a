// Package install tests what make dist has built, as those who install it meet
// it. That is the archives and packages themselves, and the first minute with
// each by the words of the README. It knows nothing of the packages of the service.
//
// E2E_DIST names the directory; make acceptance-install sets it.
package install
