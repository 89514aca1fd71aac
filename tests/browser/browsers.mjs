// Launches the two real browsers, each in a process and a profile of its own.

import { fail } from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

/** The browsers: where each is, and how it is started. */
const BROWSERS = {
  chromium: {
    variable: 'PEER_GROUP_CHROMIUM',
    places: ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
    options: ({ plain, trust }) => ({
      browser: 'chrome',
      pipe: true,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        ...(trust ? [`--ignore-certificate-errors-spki-list=${trust}`] : []),
        // Names instead of addresses cost a multicast lookup; one suite leaves them on.
        ...(plain ? [] : ['--disable-features=WebRtcHideLocalIpsWithMdns']),
      ],
    }),
  },
  firefox: {
    variable: 'PEER_GROUP_FIREFOX',
    places: ['/usr/bin/firefox-esr', '/usr/bin/firefox'],
    options: ({ plain, storageBlocked, preferences }) => ({
      browser: 'firefox',
      extraPrefsFirefox: {
        ...(storageBlocked ? { 'network.cookie.cookieBehavior': 2 } : {}),
        ...(plain ? {} : { 'media.peerconnection.ice.obfuscate_host_addresses': false }),
        // Nothing but the test's own pages is to be loaded.
        'app.update.enabled': false,
        'browser.safebrowsing.malware.enabled': false,
        'browser.safebrowsing.phishing.enabled': false,
        'network.captive-portal-service.enabled': false,
        'network.connectivity-service.enabled': false,
        ...preferences,
      },
    }),
  },
};

/**
 * Starts a browser by name. `plain`: as people run it; `storageBlocked`: set to store nothing;
 * `folder`: keeps its profile there; `preferences`: of Firefox; `trust`: the hash of the public key of a
 * certificate that nobody else vouches for, for Chromium.
 */
export async function launch(name, given = {}) {
  const { plain = false, storageBlocked = false, folder, preferences = {}, trust } = given;
  const { variable, places, options } = BROWSERS[name];
  const executablePath = process.env[variable] ?? places.find((place) => existsSync(place));
  if (!executablePath) fail(`no ${name} was found: set ${variable} to its path`);
  const profile = name === 'chromium' && storageBlocked ? blockingProfile() : undefined;
  const userDataDir = profile ?? folder;
  const browser = await puppeteer.launch({
    headless: true,
    defaultViewport: null,
    executablePath,
    timeout: 60_000,
    protocolTimeout: 90_000,
    ...options({ plain, storageBlocked, preferences, trust }),
    ...(userDataDir ? { userDataDir } : {}),
  });
  if (profile) {
    browser.process()?.once('exit', () => rmSync(profile, { recursive: true, force: true }));
  }
  return browser;
}

/** A profile of Chromium in which the person has forbidden all site data. */
function blockingProfile() {
  const folder = mkdtempSync(join(tmpdir(), 'peer-group-profile-'));
  mkdirSync(join(folder, 'Default'));
  const forbidden = 2;
  const preferences = { profile: { default_content_setting_values: { cookies: forbidden } } };
  writeFileSync(join(folder, 'Default', 'Preferences'), JSON.stringify(preferences));
  return folder;
}
