package mount

import "testing"

func TestRest(t *testing.T) {
	for _, tt := range []struct{ at, path, want string }{
		{"", "/app/k", "/app/k"},
		{"", "//app/k", "/app/k"},
		{"", "////app//k", "/app//k"},
		{"", "/", "/"},
		{"", "///", "/"},
		{"", "", ""},
		{"", "*", "*"},
		{"", "/%2Fapp/k", "/%2Fapp/k"},
		{"/", "//app/k", "/app/k"},
		{"/x", "/x/app/k", "/app/k"},
		{"x/", "/x/app/k", "/app/k"},
		{"/x", "/app/k", "/app/k"},
		{"/x", "//x//app/k", "/app/k"},
		{"/x", "/x//", "/"},
		{"/x", "/x", "/x"},
		{"/x", "/xapp/k", "/xapp/k"},
		{"/x", "/x/x/app/k", "/x/app/k"},
		{"/x/y", "/x/y/app/k", "/app/k"},
		{"/x/y", "/y/app/k", "/y/app/k"},
	} {
		if got := At(tt.at).Rest(tt.path); got != tt.want {
			t.Errorf("At(%q).Rest(%q) = %q, want %q", tt.at, tt.path, got, tt.want)
		}
	}
}

func TestPrefixThatIsCalledLikeAPathOfTheService(t *testing.T) {
	for _, tt := range []struct{ at, path, want string }{
		{"/app", "/app/k", "/app/k"},
		{"/app", "//app//k", "/app//k"},
		{"/app", "/app/app/k", "/app/k"},
		{"/app", "/app/apps/1/events", "/apps/1/events"},
		{"/app", "/apps/1/events", "/apps/1/events"},
		{"/app", "/app/", "/"},
		{"/app", "/app/up", "/up"},
		{"/app", "/up", "/up"},
		{"/apps", "/apps/1/events", "/apps/1/events"},
		{"/apps", "//apps//apps/1/events", "/apps/1/events"},
		{"/apps", "/apps/app/k", "/app/k"},
		{"/apps/1", "/apps/1/events", "/apps/1/events"},
		{"/apps/1", "/apps/1/apps/1/events", "/apps/1/events"},
		{"/x", "/x/y", "/y"},
	} {
		if got := At(tt.at).Rest(tt.path, "/app/", "/apps/", "/up"); got != tt.want {
			t.Errorf("At(%q).Rest(%q) = %q, want %q", tt.at, tt.path, got, tt.want)
		}
	}
}
