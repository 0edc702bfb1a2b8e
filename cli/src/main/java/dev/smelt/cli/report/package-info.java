/** What a change cost and saved, for people: terminal, Markdown, JSON and HTML. */
@NullMarked
package dev.smelt.cli.report;

import org.jspecify.annotations.NullMarked;
