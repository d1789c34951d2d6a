package setting

import "testing"

func TestNearest(t *testing.T) {
	candidates := []string{"listen", "path", "data_dir", "max_connections", "limits"}
	for name, want := range map[string]string{
		"Listen": "listen", "lsiten": "listen", "listne": "listen", "datadir": "data_dir", "dataDir": "data_dir",
		"max-conections": "max_connections", "limts": "limits", "hostname": "", "x": "", "": "",
	} {
		if got, _ := Nearest(name, candidates); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
