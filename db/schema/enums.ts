import { pgEnum } from 'drizzle-orm/pg-core'

export const unitType = pgEnum('unit_type', [
  'fridge',
  'freezer',
  'display_case',
  'walk_in_cooler',
  'walk_in_freezer',
  'blast_chiller',
])

export const unitStatus = pgEnum('unit_status', [
  'ok',
  'excursion',
  'alarm_active',
  'monitoring_interrupted',
  'manual_required',
  'restoring',
  'offline',
])

export const alertType = pgEnum('alert_type', [
  'alarm_active',
  'monitoring_interrupted',
  'missed_manual_entry',
  'low_battery',
  'sensor_fault',
  'door_open',
  'calibration_due',
])

export const alertSeverity = pgEnum('alert_severity', ['info', 'warning', 'critical'])

export const alertStatus = pgEnum('alert_status', ['active', 'acknowledged', 'resolved', 'escalated'])

export const appRole = pgEnum('app_role', ['owner', 'admin', 'manager', 'staff', 'viewer'])

export const subscriptionPlan = pgEnum('subscription_plan', ['starter', 'pro', 'haccp', 'enterprise'])

export const subscriptionStatus = pgEnum('subscription_status', [
  'trial',
  'active',
  'past_due',
  'canceled',
  'paused',
])

export const notificationChannel = pgEnum('notification_channel', ['push', 'email', 'sms'])

export const notificationStatus = pgEnum('notification_status', ['pending', 'sent', 'delivered', 'failed'])

export const deviceStatus = pgEnum('device_status', ['active', 'inactive', 'pairing', 'error'])

export const complianceMode = pgEnum('compliance_mode', ['standard', 'haccp'])

export const pairingStatus = pgEnum('pairing_status', ['pending', 'completed', 'failed', 'expired'])
