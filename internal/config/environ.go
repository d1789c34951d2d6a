package config

import (
	"regexp"
	"strings"

	"github.com/belfryhq/belfry/internal/setting"
)

const (
	envPrefix = "BELFRY_"
	envConfig = envPrefix + "CONFIG" // name of the file
	envApps   = envPrefix + "APPS"   // what stands under apps in the file
	envURL    = envPrefix + "URL"    // for the commands that are clients
	envAdmin  = envPrefix + "ADMIN_URL"
	envTest   = envPrefix + "TEST_" // for the suites
)

// kubernetes matches what is put into the environment of every container for
// each service of its namespace, such as one that is called belfry. It is not
// ours to refuse.
var kubernetes = regexp.MustCompile(`^BELFRY_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST=|SERVICE_PORT(?:_[A-Z0-9_]+)?=\d+$|PORT=[a-z]+://|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?=)`)

// ofImage matches what images and those who run them say about an image. Nobody
// means a setting by it, so it keeps no service from starting.
var ofImage = regexp.MustCompile(`^BELFRY_(?:IMAGE_|DOCKER_|CONTAINER_)?(?:VERSION|IMAGE|TAG|DIGEST|REVISION|COMMIT|SHA256|RELEASE|BUILD|HOME|USER|UID|GID)$`)

// An environment is what of the environment concerns the configuration.
type environment struct {
	*loader
	given layer
	file  string
	apps  string // YAML
}

// read takes every variable that begins with BELFRY_.
func (e *environment) read(environ []string) {
	known := map[string]setting.Setting[Config]{}
	for _, s := range settings {
		for _, name := range s.Names() {
			known[variable(name)] = s
		}
	}
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if Foreign(name, text) {
			continue
		}
		if s, ok := known[name]; ok {
			e.setting(s, name, text)
		} else {
			e.other(name, text)
		}
	}
}

// setting takes a variable that gives a setting. One that is empty counts as
// not given.
func (e *environment) setting(s setting.Setting[Config], name, text string) {
	if text != "" {
		place := Place{Source: name, Layer: layerEnvironment}
		e.take(e.given, s.Name, value{setting.Value{Text: text}, place}, name != variable(s.Name), variable(s.Name))
	}
}

// other takes a variable that gives no setting. One that means nothing is a
// problem, unless containers commonly have it.
func (e *environment) other(name, text string) {
	place := Place{Source: name, Layer: layerEnvironment}
	switch {
	case name == envConfig:
		e.file = text
	case name == envApps:
		e.apps = text
	case ofImage.MatchString(name):
		e.config.Warnings.add(place, "", "is no setting, and has no effect")
	default:
		e.problems.add(place, "", "%s", unknownVariable(name))
	}
}

// Foreign reports whether a variable of the environment is nothing that a
// service is told by: for commands that are clients, for tests, of Kubernetes,
// or of others altogether.
func Foreign(variable, text string) bool {
	return !strings.HasPrefix(variable, envPrefix) || strings.HasPrefix(variable, envTest) ||
		variable == envURL || variable == envAdmin || kubernetes.MatchString(variable+"="+text)
}

func unknownVariable(name string) string {
	var known []string // without the prefix, which would make everything alike
	for _, v := range []string{envConfig, envApps} {
		known = append(known, strings.TrimPrefix(v, envPrefix))
	}
	for _, s := range settings {
		known = append(known, strings.TrimPrefix(variable(s.Name), envPrefix))
	}
	if near, ok := setting.Nearest(strings.TrimPrefix(name, envPrefix), known); ok {
		return "unknown setting; did you mean " + envPrefix + near + "?"
	}
	return "unknown setting; belfry serve --help lists what there is"
}
