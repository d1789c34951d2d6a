//go:build race

package service

const Race = true
