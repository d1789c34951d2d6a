// Package alerts tests what operators see of a service in Prometheus and Grafana:
// the rules of packaging/prometheus, and the dashboard of packaging/grafana.
//
// Each test causes what an alert is about on real processes, and scrapes them before
// and after. Of the samples it makes a timeline of an hour, which promtool evaluates the
// rules over: before, no alert may fire, and afterwards those that are expected, and no
// other. So nobody waits for the minutes that rules wait.
package alerts
