package bench

import (
	"fmt"
	"os"
)

// portRange is where Linux says which ports connections begin at.
const portRange = "/proc/sys/net/ipv4/ip_local_port_range"

// checkPorts returns an error if there are not enough ports for that many
// connections to one address.
func checkPorts(connections int) error {
	text, err := os.ReadFile(portRange)
	if err != nil {
		return nil // another system: then opening them tells
	}
	var first, last int
	if _, err := fmt.Sscan(string(text), &first, &last); err != nil {
		return nil
	}
	if available := last - first + 1; connections > available {
		return &SettingError{"connections", fmt.Sprintf(
			"must be at most %d: that is how many ports this machine has for connections to one address (%s)", available, portRange)}
	}
	return nil
}
