// Package chart tests the Helm chart in packaging/helm: that helm takes it, and that what it
// renders is what docs/kubernetes.md says. The real binary takes the configuration that a
// pod would have. No cluster of Kubernetes is needed.
package chart
