/**
 * `@simplewebauthn/server` brings this polyfill for a dependency that looks for it while it loads. Bun's bundler runs CommonJS imports after all others,
 * which is too late for it in the compiled file; a module of our own keeps its place.
 */
import "reflect-metadata";
