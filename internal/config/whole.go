package config

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"
)

// listeners notes addresses that can not be listened on at the same time.
func (l *loader) listeners() {
	s := &l.config.Server
	if s.Listen == "" && s.TLSListen == "" && !s.Cluster.Witness {
		l.problems.add(l.place("listen"), "listen", "is off and so is tls.listen: clients could not connect")
	}
	taken := []struct{ name, address string }{
		{"listen", s.Listen},
		{"tls.listen", s.TLSListen},
		{"admin.listen", s.AdminListen},
		{"cluster.listen", s.Cluster.Listen},
	}
	for i, a := range taken {
		for _, b := range taken[:i] {
			if clash(a.address, b.address) {
				l.problems.add(l.place(a.name), a.name, "%s is taken by %s (%s)", a.address, b.name, b.address)
			}
		}
	}
}

// dataDir notes a data directory that is none, and warns of one in which every
// user of the machine could put a token or apps of his own.
func (l *loader) dataDir() {
	dir := l.config.DataDir
	info, err := os.Stat(dir)
	switch {
	case err != nil: // it is made, or the start says why not
	case !info.IsDir():
		l.problems.add(l.place("data_dir"), "data_dir", "%s is a file and not a directory", dir)
	case info.Mode().Perm()&0o002 != 0 && runtime.GOOS != "windows":
		l.config.Warnings.add(l.place("data_dir"), "data_dir", "%s can be written by every user of this machine, and so can secrets and apps in it; chmod o-w %s", dir, dir)
	}
}

// warnAdmin warns of an administration port that other machines reach.
func (l *loader) warnAdmin() {
	host, _, err := net.SplitHostPort(l.config.Server.AdminListen)
	if err != nil || host == "localhost" {
		return
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsLoopback() {
		return
	}
	if l.config.Server.AdminTLSCertFile != "" {
		return
	}
	l.config.Warnings.add(l.place("admin.listen"), "admin.listen", "%s can be reached from other machines, and the token of the admin API goes over it without encryption; metrics need no token; admin.tls.cert_file encrypts", l.config.Server.AdminListen)
}

// clash reports whether one of two addresses takes the port of the other.
func clash(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return hostA == hostB || everywhere(hostA) || everywhere(hostB)
}

// everywhere reports whether listening on host takes every address.
func everywhere(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}

// certificate notes a pair of files that is incomplete or of no use.
func (l *loader) certificate() {
	if l.acmeCertificate() {
		return
	}
	s := &l.config.Server
	cert, key := s.TLSCertFile, s.TLSKeyFile
	switch {
	case s.TLSListen == "" && cert == "" && key == "":
		return
	case s.TLSListen == "":
		name := "tls.cert_file"
		if cert == "" {
			name = "tls.key_file"
		}
		l.problems.add(l.place(name), name, "is given, but tls.listen is not; add tls.listen: 0.0.0.0:443 or take it away")
	case cert == "":
		l.problems.add(l.place("tls.listen"), "tls.cert_file", "is missing; tls.listen needs a certificate, or tls.acme.domains")
	}
	if s.TLSListen != "" && key == "" {
		l.problems.add(l.place("tls.listen"), "tls.key_file", "is missing; tls.listen needs the key of the certificate")
	}
	l.pair("tls.", cert, key)
}

// adminCertificate does so for the administration port, which has TLS or not.
func (l *loader) adminCertificate() {
	s := &l.config.Server
	cert, key := s.AdminTLSCertFile, s.AdminTLSKeyFile
	switch {
	case cert == "" && key == "":
		return
	case s.AdminListen == "":
		name := "admin.tls.cert_file"
		if cert == "" {
			name = "admin.tls.key_file"
		}
		l.problems.add(l.place(name), name, "is given, but admin.listen is off")
	case cert == "":
		l.problems.add(l.place("admin.tls.key_file"), "admin.tls.cert_file", "is missing; admin.tls.key_file belongs to a certificate")
	case key == "":
		l.problems.add(l.place("admin.tls.cert_file"), "admin.tls.key_file", "is missing; it is the key of admin.tls.cert_file")
	}
	l.pair("admin.tls.", cert, key)
}

// pair notes files that are not a certificate and its key. Their settings begin
// with prefix.
func (l *loader) pair(prefix, cert, key string) {
	certPEM, certOK := l.read(prefix+"cert_file", cert)
	keyPEM, keyOK := l.read(prefix+"key_file", key)
	if !certOK || !keyOK {
		return
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		l.problems.add(l.place(prefix+"cert_file"), prefix+"cert_file", "does not make a pair with %skey_file: %s", prefix, err)
		return
	}
	l.warnExpired(prefix+"cert_file", pair.Leaf)
}

func (l *loader) warnExpired(name string, leaf *x509.Certificate) {
	if leaf != nil && time.Now().After(leaf.NotAfter) {
		l.config.Warnings.add(l.place(name), name, "has expired on %s; clients will refuse it", leaf.NotAfter.Format(time.DateOnly))
	}
}

// read returns what is in the file that a setting names, if it names one.
func (l *loader) read(name, file string) ([]byte, bool) {
	if file == "" {
		return nil, false
	}
	text, err := os.ReadFile(file)
	if err != nil {
		l.problems.add(l.place(name), name, "%s %s", file, pathReason(err))
	}
	return text, err == nil
}

// sizes warns of events that an app allows but that nobody can send.
func (l *loader) sizes() {
	for i, app := range l.config.Server.Apps {
		if app.Limits.EventData > l.config.Server.MaxBodySize {
			l.config.Warnings.add(l.config.apps[i].place, "limits.event_data", "of app %s is above http_api.max_body_size, so that such events can not be sent", app.ID)
		}
	}
}
