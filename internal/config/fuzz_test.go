package config

import (
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
)

// FuzzFile reads any text as a file: it is refused with problems that have a
// place, or what was read can be served.
func FuzzFile(f *testing.F) {
	for _, tt := range mistakes {
		f.Add([]byte(tt.file))
	}
	f.Add([]byte(twoApps))
	f.Fuzz(func(t *testing.T, text []byte) {
		l := newLoader()
		d := &document{source: "belfry.yaml", layer: layerFile, problems: &l.problems, warnings: &l.config.Warnings}
		if top := d.parse(text); top != nil {
			l.document(d, top)
		}
		// Certificates would be read from wherever the text says.
		if l.config.Server.TLSCertFile+l.config.Server.TLSKeyFile != "" {
			return
		}
		c, err := l.finish()
		if err != nil {
			for _, p := range l.problems {
				if p.Text == "" || p.Place.Source != "belfry.yaml" && p.Name != "admin.listen" && p.Name != "listen" && p.Name != "tls.listen" {
					t.Errorf("a problem without text or place: %q", p)
				}
			}
			return
		}
		if _, err := apps.NewRegistry(c.Server.Apps); err != nil {
			t.Errorf("what was accepted can not be served: %v", err)
		}
		for _, app := range c.Server.Apps {
			if app.ID == "" || len(app.Keys) == 0 {
				t.Errorf("an app without id or keys was accepted: %+v", app)
			}
		}
	})
}
