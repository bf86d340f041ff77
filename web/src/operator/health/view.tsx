// How bridges, app and Redis are, in plain numbers.

import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

import { useLanguage } from '../language.js';
import { linkTo } from '../place.js';
import type { Finding } from './judge.js';
import type { BridgeHealth, Health, Part } from './watch.js';

export function HealthView({ health }: { health: Health }) {
  const language = useLanguage();
  const { texts } = language;
  const { health: words } = texts;
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => {
    document.title = `${words.title} · Rollcall`;
    heading.current?.focus();
  }, [words]);
  const { app, redis, missing, error, bridges } = health;
  const lack = (count: number) =>
    count > 0 && <p>{words.lacking(language.number(count), language.number(missing.known))}</p>;
  return (
    <article class="detail health" id="main">
      <header class="detail-header">
        <a class="back" href={linkTo({ part: 'rooms' })}>
          {texts.room.back}
        </a>
        <h2 ref={heading} tabIndex={-1}>
          {words.title}
        </h2>
      </header>
      <div class="cards">
        <Card Heading="h3" name={words.app} part={app}>
          <p>{error === null ? words.appAnswers : language.error(error)}</p>
          {lack(missing.app)}
        </Card>
        <Card Heading="h3" name="Redis" part={redis}>
          <p>{words.redisStates[redis.state]}</p>
          {lack(missing.redis)}
        </Card>
      </div>
      <h3>{words.bridges}</h3>
      {bridges.length === 0 && <p class="empty">{words.noBridges}</p>}
      <ul class="cards">
        {bridges.map((bridge) => (
          <li key={bridge.address}>
            <Bridge bridge={bridge} />
          </li>
        ))}
      </ul>
    </article>
  );
}

interface CardProps {
  Heading: 'h3' | 'h4';
  name: string;
  part: Part;
  children: ComponentChildren;
}

function Card({ Heading, name, part, children }: CardProps) {
  const language = useLanguage();
  const { health: words } = language.texts;
  return (
    <section class="card" data-state={part.state} aria-label={name}>
      <Heading>
        <bdi>{name}</bdi>
      </Heading>
      <p class="card-state">
        <span class={`lamp ${part.state}`} aria-hidden="true" />
        <strong>{words.states[part.state]}</strong> <span class="fine">{words.since(language.moment(part.since))}</span>
      </p>
      {children}
    </section>
  );
}

function Bridge({ bridge }: { bridge: BridgeHealth }) {
  const language = useLanguage();
  const { health: words } = language.texts;
  const { address, findings, metrics } = bridge;
  const percent = new Intl.NumberFormat(language.code, { style: 'percent' });
  const say = ({ kind, value = 0 }: Finding) => {
    if (kind === 'overdue') return words.findings.overdue(language.length(value * 1000));
    const text = words.findings[kind];
    return typeof text === 'function' ? text(percent.format(value)) : text;
  };
  const megabytes = (bytes: number) =>
    new Intl.NumberFormat(language.code, { style: 'unit', unit: 'megabyte', maximumFractionDigits: 0 }).format(
      bytes / 1_000_000,
    );
  return (
    <Card Heading="h4" name={address.replace(/^https?:\/\//, '')} part={bridge}>
      {findings.length > 0 && (
        <ul class="findings">
          {findings.map((finding) => (
            <li key={finding.kind} data-state={finding.state}>
              {say(finding)}
            </li>
          ))}
        </ul>
      )}
      {metrics && (
        <dl class="facts">
          <div>
            <dt>{words.sockets}</dt>
            <dd>{words.of(language.number(metrics.sockets), language.number(metrics.maxSockets))}</dd>
          </div>
          <div>
            <dt>{words.rooms}</dt>
            <dd>{language.number(metrics.rooms)}</dd>
          </div>
          {metrics.startedAt !== null && (
            <div>
              <dt>{words.started}</dt>
              <dd>{language.moment(metrics.startedAt)}</dd>
            </div>
          )}
          {metrics.residentBytes !== null && (
            <div>
              <dt>{words.memory}</dt>
              <dd>{megabytes(metrics.residentBytes)}</dd>
            </div>
          )}
          <div>
            <dt>{words.version}</dt>
            <dd>
              <bdi>{metrics.version}</bdi>
            </dd>
          </div>
        </dl>
      )}
    </Card>
  );
}
