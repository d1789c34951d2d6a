//go:build race

package service

const race = true
