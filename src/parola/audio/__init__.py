"""Samples: conversion, decoding, voice activity, without any waiting."""
